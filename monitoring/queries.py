"""PromQL of the dashboards: names with their selectors, rates, quantiles."""

from typing import Final

CHOSEN: Final = 'namespace=~"$namespace", job=~"$job", stream=~"$stream", pod=~"$pod"'
"""Of metrics that belong to a stream."""

CHOSEN_PROCESS: Final = 'namespace=~"$namespace", job=~"$job", pod=~"$pod"'
"""Of metrics that belong to an instance."""


def of(name: str, more: str = "") -> str:
    """Return a stream's metric with its selector; ``more``: further matchers."""
    return f"hasync_{name}{{{CHOSEN}{', ' if more else ''}{more}}}"


def process(name: str, more: str = "") -> str:
    """Return an instance's metric with its selector; the prefix is told, since ``process_*`` has another."""
    return f"{name}{{{CHOSEN_PROCESS}{', ' if more else ''}{more}}}"


def rate(series: str, by: str = "") -> str:
    """Return a counter's increments per second, summed."""
    return f"{_sum(by)} (rate({series}[$__rate_interval]))"


def increase(series: str, by: str = "") -> str:
    """Return a counter's increments, summed."""
    return f"{_sum(by)} (increase({series}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "", *, window: str = "$__rate_interval") -> str:
    """Return a quantile of a histogram. ``histogram``: its buckets, with selector."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({labels}) (rate({histogram}[{window}])))"


def quantiles(histogram: str) -> tuple[tuple[str, str], ...]:
    """Return targets for half, 95 and 99 of a hundred."""
    return tuple((quantile(share, histogram), f"p{share * 100:.0f}") for share in (0.5, 0.95, 0.99))


def reasons(series: str, label: str) -> str:
    """Return a counter's increments by a label, those that happened alone, and a 0 called "none" besides."""
    none = f'label_replace({increase(series)} * 0, "{label}", "none", "", "")'
    return f"{increase(series, label)} > 0 or {none}"


def or_zero(expr: str) -> str:
    """Return 0 where nothing is counted."""
    return f"({expr}) or vector(0)"


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"
