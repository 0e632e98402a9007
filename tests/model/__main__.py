"""``python -m tests.model``: the deep run, or the trace of each planted bug."""

import argparse
import sys
from collections.abc import Mapping
from time import monotonic

from tests.model.checker import explored
from tests.model.mutants import MUTANTS
from tests.model.runs import DEEP, SHORT
from tests.model.trace import told
from tests.model.world import Bounds


def main() -> int:
    """Return 0 when the protocol holds within all bounds, or when every planted bug is found."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description="Check the protocol's model.")
    parser.add_argument("--short", action="store_true", help="only what each test run does")
    parser.add_argument("--mutants", action="store_true", help="show the shortest trace to each planted bug instead")
    parser.add_argument("--only", default="", help="bounds or planted bugs whose name contains this text")
    parser.add_argument("--depth", type=int, help="steps from the beginning at most; default: as many as there are")
    chosen = parser.parse_args()
    if chosen.mutants:
        return show_mutants(chosen.only)
    runs = SHORT if chosen.short else SHORT | DEEP
    return check({name: bounds for name, bounds in runs.items() if chosen.only in name}, chosen.depth)


def check(runs: Mapping[str, Bounds], depth: int | None) -> int:
    """Search each; one line of figures for each, and the trace of what is found."""
    sys.stdout.write(f"{'bounds':48}{'worlds':>10}{'steps':>10}{'depth':>7}  {'all':4}{'seconds':>8}  found\n")
    found = 0
    for name, bounds in runs.items():
        began = monotonic()
        report = explored(bounds._replace(depth=depth))
        figures = f"{report.worlds:10,}{report.steps:10,}{report.depth:7}  {'yes' if report.complete else 'no':4}"
        verdict = report.finding.invariant if report.finding else "nothing"
        sys.stdout.write(f"{name:48}{figures}{monotonic() - began:8.1f}  {verdict}\n")
        if report.finding:
            sys.stdout.write(told(report.finding) + "\n")
            found += 1
        sys.stdout.flush()
    return 1 if found else 0


def show_mutants(only: str) -> int:
    """Print how each planted bug is found."""
    missed = 0
    for mutant in MUTANTS:
        if only not in mutant.name:
            continue
        report = explored(mutant.bounds, mutant.rules)
        missed += report.finding is None
        story = told(report.finding) if report.finding else "    NOT FOUND"
        sys.stdout.write(f"{mutant.name} ({report.worlds:,} worlds, depth {report.depth})\n{story}\n\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
