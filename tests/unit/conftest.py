"""Unit tests never assert how long something took, so neither does Hypothesis, however busy the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile("hasync", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hasync")
