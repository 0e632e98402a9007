"""Faults in seeded random order on a whole cluster in network namespaces, and an observer that judges each round.

``python -m chaos`` (``make chaos``) brings everything up by itself; see docs/chaos.md.
"""
