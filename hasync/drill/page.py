"""The report as one HTML file that opens anywhere: everything is in it, and it asks the network for nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from hasync.drill.picture import picture, takeover, whole
from hasync.drill.wording import facts, terms

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .3rem; }
h2 b, h1 b { font-size: .8em; padding: .1em .6em; border-radius: 1em; color: #fff; background: #2d7d46; }
h2 b.no, h1 b.no { background: #c1121f; } p.about { color: #666; margin: 0 0 1rem; }
table { border-collapse: collapse; margin: .8rem 0; width: 100%; }
th { text-align: left; font-weight: 600; color: #666; }
td, th { padding: .2rem .8rem .2rem 0; vertical-align: top; }
tr { border-bottom: 1px solid #e6e6e3; } td.no { color: #c1121f; font-weight: 600; }
svg { width: 100%; margin: .6rem 0; }
"""


def page(bundle: Mapping[str, Any]) -> str:
    """Return the document of all reports of one run."""
    reports = bundle["reports"]
    first = reports[0] if reports else {}
    title = f"Drill of {first.get('stream', '')}"
    parts = [part for report in reports for part in _report(report)]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(title)} {_badge(passed=bundle['passed'])}</h1>{''.join(parts)}</body></html>\n"
    )


def _badge(*, passed: bool) -> str:
    return "<b>passed</b>" if passed else '<b class="no">failed</b>'


def _report(report: Mapping[str, Any]) -> Iterator[str]:
    when = datetime.fromtimestamp(report["at"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lasting = f" for {report['for_ms'] / 1000:g} s" if report["for_ms"] else ""
    yield f"<h2>{escape(report['drill'])}{lasting} {_badge(passed=report['passed'])}</h2>"
    yield f'<p class="about">{when}, asked for by {escape(report["by"])}, hasync {escape(report["hasync"])}</p>'
    near = takeover(report)
    if near is not None:
        yield picture(report, near, "The takeover")
    yield picture(report, whole(report), "The whole drill")
    yield "<h3>Verdict</h3>"
    yield _table(("rule", "", "limit", "measured", ""), [_rule(rule) for rule in report["rules"]])
    yield "<h3>What was seen</h3>"
    yield _table((), [(_cell(name), _cell(value)) for name, value in facts(report)])
    yield "<h3>Terms, as their leaders recorded them</h3>"
    yield _table(("epoch", "member", "ended", "takeover", "note"), [_cells(row) for row in terms(report)])


def _rule(rule: Mapping[str, Any]) -> Sequence[str]:
    word = "ok" if rule["ok"] else "broken"
    return (
        _cell(rule["rule"]),
        f'<td class="{"" if rule["ok"] else "no"}">{word}</td>',
        *_cells((rule["limit"], rule["measured"], rule["detail"])),
    )


def _cells(values: Sequence[str]) -> list[str]:
    return [_cell(value) for value in values]


def _cell(value: str) -> str:
    return f"<td>{escape(value)}</td>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>" if heads else f"<table>{body}</table>"
