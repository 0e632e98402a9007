"""``python -m tests.fuzz``: fuzz for a while, or show one case again."""

import argparse
import math
import os
import secrets
import sys

from tests.fuzz.cases import case_of, run
from tests.fuzz.corpus import everything
from tests.fuzz.guard import fuzz
from tests.fuzz.known import KNOWN
from tests.fuzz.reference import verdict
from tests.fuzz.target import deliver
from tests.fuzz.wire import kind_of


def seconds(text: str) -> float:
    """Read how long to fuzz. Raises ArgumentTypeError: argparse reads the variable's text, too, and tells it."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"FUZZ_S: {text!r} is no number of seconds")
    return number


def main() -> int:
    """Return 0 when nothing was found that is not known."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the reading of binlog packets.")
    parser.add_argument("--seconds", type=seconds, default=os.environ.get("FUZZ_S") or "600", help="default 600")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="any text; the same one gives the same cases")
    parser.add_argument("--case", type=int, help="show this case only")
    chosen = parser.parse_args()
    if chosen.case is not None:
        return show(chosen.seed, chosen.case)
    report = fuzz(chosen.seed, chosen.seconds)
    for line in report.lines():
        sys.stdout.write(line + "\n")
    unknown = sorted(report.counts.keys() - KNOWN.keys())
    sys.stdout.write(f"not known yet: {', '.join(unknown) or 'nothing'}\n")
    return 1 if unknown else 0


def show(seed: str, number: int) -> int:
    """Run one case in this process and tell everything about it."""
    case = case_of(everything(), seed, number)
    sys.stdout.write(f"{case}\n")
    for place, packet in enumerate(case.packets):
        sys.stdout.write(f"{place:4} type {kind_of(packet):3} {packet.hex()[:400]}\n")
    wanted = verdict(case.scene, case.packets)
    sys.stdout.write(f"our parser: {wanted.fault or wanted.unjudged or 'sound'}, {wanted.file}:{wanted.pos}\n")
    outcome, findings = run(case)
    sys.stdout.write(f"hasync: {outcome}\n")
    for finding in findings:
        sys.stdout.write(f"  {finding.kind}: {finding.detail}\n")
    if outcome == "refused":
        sys.stdout.write(f"  {deliver(case.scene, case.packets, case.setup).error}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
