"""Failover drills: asks instances for a fault, watches from outside, and judges what was seen.

``conductor`` asks and waits, ``eyes`` and ``probe`` watch into a ``recording``; ``findings``
and ``verdict`` are pure, and so are ``report``, ``picture``, ``page`` and ``comparison``,
which show it. What an instance does is in :mod:`hasync.worker.drilling`.
"""
