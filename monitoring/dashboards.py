"""``python -m monitoring.dashboards`` writes the dashboards that the chart ships."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitoring import overview, stream
from monitoring.elements import Dashboard
from monitoring.rules import ROOT

DASHBOARDS: Final = (overview.DASHBOARD, stream.DASHBOARD)
FOLDER: Final = ROOT / "deploy/helm/hasync/files/dashboards"


def files() -> Iterator[tuple[Path, str]]:
    """Yield each dashboard's file and what is in it."""
    for dashboard in DASHBOARDS:
        yield FOLDER / f"{dashboard.uid}.json", text_of(dashboard)


def text_of(dashboard: Dashboard) -> str:
    """Return a dashboard as the text of its file."""
    return json.dumps(dashboard.json(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in files():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
