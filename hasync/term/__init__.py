"""The term: the one place where the data road and the control road meet.

:mod:`~hasync.term.candidate` contends for a stream and leads it when elected,
:mod:`~hasync.term.leading` is one term from claim to end, :mod:`~hasync.term.guard` is
what the data road sees of it, :mod:`~hasync.term.acknowledger` copies positions to
ZooKeeper, :mod:`~hasync.term.watcher` keeps an eye on config, halt and intent.
"""
