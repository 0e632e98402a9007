"""One instance: builds all adapters, runs one candidate per stream, answers probes, ends in order.

:mod:`~hasync.worker.adapters` is the only place where the roads' concrete classes are
known; :mod:`~hasync.worker.instance` is the life of the process.
"""
