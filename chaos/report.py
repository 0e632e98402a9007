"""The report: a table for the terminal, JSON for machines, a page that needs nothing but itself."""

import html
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from chaos.catalog import FAULTS
from chaos.round import Round

STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2127;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #d8dde3}

td.n{text-align:right;font-variant-numeric:tabular-nums}.passed{color:#14713d}.FAILED{color:#b3261e;font-weight:600}
.not{color:#7a5a00}code{background:#f2f4f6;padding:.1rem .3rem}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e3e6ea}th,td{border-color:#363c43}code{background:#23282d}
.passed{color:#5cc98b}.FAILED{color:#ff8a80}.not{color:#e0b84c}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """All rounds of one kind."""

    faults: str
    title: str
    passed: int
    failed: int
    not_run: int
    gap_p50_s: float
    gap_max_s: float
    converged_max_s: float
    terms_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run."""

    seed: str
    database: str
    seconds: float
    rounds: tuple[Round, ...]
    fatal: str = ""

    @property
    def passed(self) -> bool:
        """Whether at least one round was played and none failed."""
        return not self.fatal and any(not r.not_run for r in self.rounds) and not self.failed

    @property
    def failed(self) -> tuple[Round, ...]:
        """The rounds that failed."""
        return tuple(each for each in self.rounds if each.violations)

    @property
    def missing(self) -> dict[str, str]:
        """Faults that this machine never carried out, with the reason."""
        ran = {each.faults for each in self.rounds if not each.not_run}
        return {"x".join(each.faults): each.not_run for each in self.rounds if each.not_run and each.faults not in ran}

    def repeat(self, one: Round) -> str:
        """Return the command that plays a round again."""
        return f'make chaos ARGS="--repeat {one.seed} --db {self.database}"'

    def lines(self) -> list[Line]:
        """Return the rounds by kind, in the catalogue's order."""
        kinds = sorted({each.faults for each in self.rounds}, key=lambda names: (len(names), _rank(names)))
        return [_line(kind, [each for each in self.rounds if each.faults == kind]) for kind in kinds]

    @property
    def verdict(self) -> str:
        """In one sentence."""
        if self.fatal:
            return f"FAILED: {self.fatal}"
        played = [each for each in self.rounds if not each.not_run]
        words = f"{len(played)} rounds, {len(self.failed)} failed, {len(self.rounds) - len(played)} not run"
        return f"{'passed' if self.passed else 'FAILED'}: {words}"


def _rank(names: Sequence[str]) -> tuple[int, ...]:
    return tuple(list(FAULTS).index(name) for name in names)


def _line(kind: tuple[str, ...], rounds: Sequence[Round]) -> Line:
    played = [each for each in rounds if not each.not_run]
    gaps = [each.gap_s for each in played] or [0.0]
    return Line(
        faults="x".join(kind),
        title=" and ".join(FAULTS[name].title for name in kind),
        passed=sum(each.verdict == "passed" for each in rounds),
        failed=sum(each.verdict == "FAILED" for each in rounds),
        not_run=sum(each.verdict == "not run" for each in rounds),
        gap_p50_s=statistics.median(gaps),
        gap_max_s=max(gaps),
        converged_max_s=max((each.converged_s for each in played), default=0.0),
        terms_max=max((each.terms for each in played), default=0),
    )


HEAD: Final = ("fault", "passed", "failed", "not run", "gap p50 s", "gap max s", "healed in s", "terms", "what")


def _cells(line: Line) -> tuple[str, ...]:
    times = (f"{line.gap_p50_s:.2f}", f"{line.gap_max_s:.2f}", f"{line.converged_max_s:.1f}")
    return (
        line.faults,
        *map(str, (line.passed, line.failed, line.not_run)),
        *times,
        str(line.terms_max),
        line.title,
    )


def table(report: Report) -> str:
    """Return the table and the verdict as text."""
    rows = [HEAD, *(_cells(line) for line in report.lines())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    text = [
        "  ".join(
            cell.ljust(width) if index in {0, len(HEAD) - 1} else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    for one in report.failed:
        text += ["", f"round {one.number} {'x'.join(one.faults)} ({', '.join(one.notes)}):"]
        text += [f"  {violation}" for violation in one.violations]
        text += [f"  again: {report.repeat(one)}"]
    text += [f"not run: {name}: {why}" for name, why in report.missing.items()]
    commits, judged = sum(each.commits for each in report.rounds), sum(each.judged for each in report.rounds)
    text += [
        "",
        f"seed {report.seed}, {report.database}, {report.seconds:.0f} s, {commits} transactions, {judged} writes heard",
    ]
    return "\n".join([*text, report.verdict])


def document(report: Report) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "verdict": report.verdict,
        "passed": report.passed,
        "seed": report.seed,
        "database": report.database,
        "seconds": round(report.seconds, 1),
        "not_run": report.missing,
        "faults": [asdict(line) for line in report.lines()],
        "rounds": [
            asdict(one) | {"verdict": one.verdict, "violations": [str(each) for each in one.violations]}
            for one in report.rounds
        ],
    }


def page(report: Report) -> str:
    """Return the page."""
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    rows = "".join(
        "<tr>"
        + "".join(f"<td{_class(index)}>{html.escape(cell)}</td>" for index, cell in enumerate(_cells(line)))
        + "</tr>"
        for line in report.lines()
    )
    rounds = "".join(_round_row(report, one) for one in report.rounds)
    columns = ("round", "faults", "how", "verdict", "gap s", "terms", "seed")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Chaos: {html.escape(report.verdict)}</title>"
        f"<style>{STYLE}</style><h1 class={'passed' if report.passed else 'FAILED'}>{html.escape(report.verdict)}</h1>"
        f"<p>Seed <code>{html.escape(report.seed)}</code>, {report.database}, {report.seconds:.0f} s.</p>"
        f"<table><tr>{head}</tr>{rows}</table><h2>Rounds</h2>"
        f"<table><tr>{''.join(f'<th>{name}</th>' for name in columns)}</tr>{rounds}</table></html>\n"
    )


def _class(index: int) -> str:
    return " class=n" if 0 < index < len(HEAD) - 1 else ""


def _round_row(report: Report, one: Round) -> str:
    why = [str(each) for each in one.violations] or ([one.not_run] if one.not_run else [])
    told = "<br>".join(html.escape(text) for text in why)
    again = f"<br><code>{html.escape(report.repeat(one))}</code>" if one.violations else ""
    cells = (
        f"<td class=n>{one.number}</td><td>{'x'.join(one.faults)}</td><td>{html.escape(', '.join(one.notes))}</td>"
        f"<td class='{one.verdict}'>{one.verdict}{'<br>' if told else ''}{told}{again}</td>"
        f"<td class=n>{one.gap_s:.2f}</td><td class=n>{one.terms}</td><td><code>{html.escape(one.seed)}</code></td>"
    )
    return f"<tr>{cells}</tr>"


def save(report: Report, folder: Path) -> None:
    """Write ``report.json`` and ``report.html``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(document(report), indent=1) + "\n")
    (folder / "report.html").write_text(page(report))
