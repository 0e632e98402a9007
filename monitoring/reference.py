"""``python -m monitoring.reference`` brings the tables in ``docs/monitoring.md`` up to date."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from monitoring.dashboards import DASHBOARDS
from monitoring.rules import ROOT, alerts, rule_files, rules_of

PAGE: Final = ROOT / "docs/monitoring.md"
_PART: Final = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def alert_table() -> Iterator[str]:
    """Yield the lines of the table of alerts."""
    yield from ("| alert | severity | waits | says |", "|---|---|---|---|")
    for alert in alerts():
        says = re.sub(r"{{ \$labels\.(\w+) }}", r"*\1*", alert.summary)
        says = re.sub(r"{{ \$value.*? }}", "*value*", says)
        yield f"| [{alert.name}](runbooks/{alert.name}.md) | {alert.severity} | {alert.wait or '-'} | {says} |"


def recording_table() -> Iterator[str]:
    """Yield the lines of the table of recorded series."""
    yield from ("| series | is |", "|---|---|")
    for rule in (rule for path in rule_files() for rule in rules_of(path)):
        if "record" in rule:
            yield f"| `{rule['record']}` | `{' '.join(rule['expr'].split())}` |"


def dashboard_tables() -> Iterator[str]:
    """Yield each dashboard with its rows and panels."""
    for dashboard in DASHBOARDS:
        yield from (f"### {dashboard.title}", "", dashboard.description, "")
        yield from ("| row | answers | panels |", "|---|---|---|")
        for row in dashboard.rows:
            titles = ", ".join(panel.title for panel in row.panels)
            yield f"| {row.title} | {row.answers} | {titles} |"
        yield ""


PARTS: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    "alerts": alert_table,
    "recordings": recording_table,
    "dashboards": dashboard_tables,
}


def page(text: str) -> str:
    """Return the page with its made parts as they should be."""
    return _PART.sub(lambda found: found[1] + "\n".join(PARTS[found[2]]()).rstrip() + "\n" + found[3], text)


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
