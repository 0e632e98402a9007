"""The difference of two documents, as a unified diff in colours."""

from difflib import unified_diff

from rich.text import Text

from hasync.cli.output import console


def show(before: str, after: str, *, old: str, new: str) -> bool:
    """Print it on standard output; whether there is one. ``old`` and ``new``: what the two are called."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm=""))
    screen = console()
    for line in lines:
        screen.print(Text(line, style=_style(line)), soft_wrap=True)
    return bool(lines)


def _style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
