"""The command line: one module per command or group of commands.

:mod:`~hasync.cli.app` is its root, :mod:`~hasync.cli.tree` loads commands when they are
called, :mod:`~hasync.cli.invocation` is what a command is given to work with.
"""
