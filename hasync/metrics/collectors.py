"""The Prometheus objects behind the families, by name."""

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram

from hasync.metrics.families import NAMESPACE, Family, Kind, State, families

Collector = Counter | Gauge | Histogram | Enum
Wanted = TypeVar("Wanted", Counter, Gauge, Histogram, Enum)


class Collectors:
    """Builds every family on a registry, and hands each out under its kind.

    A wrong name or kind raises KeyError or TypeError; a stream's and a process's
    constructor asks for all that they use, so that no late path can.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register all families."""
        self._by_name: dict[str, Collector] = {family.name: _build(family, registry) for family in families()}

    def counter(self, name: str) -> Counter:
        """Return a counter by its name without prefix and ``_total``."""
        return _checked(self._by_name[name], Counter)

    def gauge(self, name: str) -> Gauge:
        """Return a gauge by its name without prefix."""
        return _checked(self._by_name[name], Gauge)

    def histogram(self, name: str) -> Histogram:
        """Return a histogram by its name without prefix."""
        return _checked(self._by_name[name], Histogram)

    def stateset(self, name: str) -> Enum:
        """Return a stateset by its name without prefix."""
        return _checked(self._by_name[name], Enum)


def _build(family: Family, registry: CollectorRegistry) -> Collector:
    name, text, labels = family.name, family.help, family.labels
    if family.kind is Kind.COUNTER:
        return Counter(name, text, labels, namespace=NAMESPACE, registry=registry)
    if family.kind is Kind.HISTOGRAM:
        return Histogram(name, text, labels, namespace=NAMESPACE, registry=registry, buckets=family.buckets)
    if family.kind is Kind.STATESET:
        return Enum(name, text, labels, namespace=NAMESPACE, registry=registry, states=[str(state) for state in State])
    return Gauge(name, text, labels, namespace=NAMESPACE, registry=registry)


def _checked(collector: Collector, kind: type[Wanted]) -> Wanted:
    if not isinstance(collector, kind):
        raise TypeError(f"{collector} is no {kind.__name__}")
    return collector
