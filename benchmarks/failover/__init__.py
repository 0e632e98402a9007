"""How long nothing is written after a leader dies: real kills under load, medians and 99th percentiles.

``python -m benchmarks.failover`` (``make failover-bench``) starts servers and instances of its own.
"""
