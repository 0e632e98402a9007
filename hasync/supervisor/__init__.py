"""The small parent of ``hasync run``: notices at once that the worker is gone, closes its session, starts it again.

:mod:`~hasync.supervisor.watch` decides, without I/O; :mod:`~hasync.supervisor.parent` is the
thin edge that owns the process, the pipe and the signals. This package imports no driver but
ZooKeeper's packet formats, so that it stays small and outlives the worker when memory runs out.
"""
