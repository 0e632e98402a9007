"""hasync keeps Redis in step with MySQL through the loss of any machine.

Handlers (see ``docs/configuration.md``) import what they need from here:
``from hasync import RowChange, command, needs``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hasync.model.command import command
    from hasync.stream.handlers import RowChange, needs

__version__ = "0.1.0"

__all__ = ["RowChange", "__version__", "command", "needs"]

_HOMES = {
    "RowChange": "hasync.stream.handlers",
    "command": "hasync.model.command",
    "needs": "hasync.stream.handlers",
}


def __getattr__(name: str) -> Any:
    """Load what handlers need when they ask, so that ``import hasync`` stays cheap for the command line."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hasync' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
