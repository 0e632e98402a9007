"""Wrong values of options and arguments, in words: typer passes on what its validator says to programmers."""

from collections.abc import Mapping
from typing import Any, Final

import typer

_WORDS: Final = {
    "int_parsing": "{input!r} is not a whole number",
    "int_from_float": "{input!r} is not a whole number",
    "float_parsing": "{input!r} is not a number",
    "bool_parsing": "{input!r} is neither true nor false",
    "greater_than_equal": "{input} is too small; write {ge} or more",
    "less_than_equal": "{input} is too large; write {le} or less",
}
"""By the kind of the fault."""


def in_words(wrong: typer.BadParameter) -> typer.BadParameter:
    """Return the error as it is shown; one that has words of its own stays as it is."""
    faults = getattr(wrong.__cause__, "errors", None)
    if callable(faults):
        wrong.message = "; ".join(_fault(fault) for fault in faults())
    return wrong


def _fault(fault: Mapping[str, Any]) -> str:
    context = fault.get("ctx", {})
    if "error" in context:  # a ValueError of typer's own, such as a choice that there is not
        return str(context["error"])
    words = _WORDS.get(fault["type"])
    return words.format(input=fault["input"], **context) if words else f"{fault['input']!r}: {fault['msg']}"
