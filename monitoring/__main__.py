"""``python -m monitoring``: a cluster under a real Prometheus, its alerts, and every panel asked and drawn."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from monitoring.cluster import Cluster
from monitoring.dashboards import DASHBOARDS
from monitoring.drawing import draw
from monitoring.evaluation import STEP_S, Answer, Span, answers, choices
from monitoring.exercise import Exercise, firings
from monitoring.load import Shop
from monitoring.prometheus import Prometheus
from monitoring.rules import ROOT
from testbed import Testbed

BINLOG_BYTES = 4 << 20
"""Small files, so that some are older than the one being applied."""


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument("--report", type=Path, default=ROOT / "monitoring-report", help="where pictures and logs go")
    parser.add_argument("--no-pictures", action="store_true", help="do not draw (no npm, no browser)")
    parser.add_argument("--redraw", action="store_true", help="draw the last run's data again, and run nothing")
    return parser.parse_args(words)


def main() -> int:
    """Run it; return the exit code."""
    asked = arguments()
    if asked.redraw:
        draw(asked.report)
        return 0
    shutil.rmtree(asked.report, ignore_errors=True)
    asked.report.mkdir(parents=True)
    faults = exercised(asked.report)
    if not asked.no_pictures:
        faults += [f"{name} was drawn with errors" for name in draw(asked.report)]
    print(f"\nverdict: {'NO: ' + '; '.join(faults) if faults else 'yes'}")
    return 1 if faults else 0


def exercised(report: Path) -> list[str]:
    """Run the cluster, ask everything, keep the answers for drawing; return what is wrong."""
    with Testbed(database_options={"max-binlog-size": BINLOG_BYTES}) as bed, Shop(bed.database) as shop:
        cluster = Cluster(bed)
        try:
            cluster.settle()
            targets = {instance.member: instance.address for instance in cluster.instances}
            with Prometheus(bed.directory, targets=targets) as prometheus:
                exercise = Exercise(cluster, prometheus)
                span = exercise.run()
                tell_firings(prometheus, span)
                faults = exercise.faults + asked_of(prometheus, span, report)
        finally:
            cluster.close()
            for log in bed.directory.glob("*.log"):
                shutil.copy(log, report)
        if shop.error:
            raise shop.error
    return faults


def tell_firings(prometheus: Prometheus, span: Span) -> None:
    """Print what fired when."""
    print("\nalerts that fired (seconds since the beginning):")
    for firing in firings(prometheus, span):
        since, until = firing.since - span.start, firing.until - span.start
        print(f"  {firing.name:24} {firing.stream:12} {since:6.1f} to {until:6.1f}")


def asked_of(prometheus: Prometheus, span: Span, report: Path) -> list[str]:
    """Ask every target of every panel; write the answers down; return those that have no data."""
    empty: list[str] = []
    for dashboard in DASHBOARDS:
        found = list(answers(dashboard, prometheus, span, **({} if dashboard.several else {"stream": "orders"})))
        empty += [f"{one.dashboard}: {one.panel} {one.letter} has no data" for one in found if not one.points]
        empty += [f"variable {name} offers nothing" for name, some in choices(dashboard, prometheus) if not some]
        print(f"\n{dashboard.title}: {len(found)} queries, {sum(1 for one in found if not one.points)} without data")
        for one in found:
            print(f"  {one.line}")
        keep(report / f"{dashboard.uid}.data.json", dashboard.json(), span, found)
    return empty


def keep(path: Path, document: object, span: Span, found: list[Answer]) -> None:
    """Write down what the drawing needs."""
    data = {f"{one.panel}/{one.letter}": one.result for one in found}
    run = {"dashboard": document, "start": span.start, "end": span.end, "step": STEP_S, "data": data}
    path.write_text(json.dumps(run), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
