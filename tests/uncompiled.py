"""Has the codec's modules run as they are written although compiled ones lie next to them.

``python -m pytest -p tests.uncompiled PATHS``, or ``make test-pure``. An import hook of the tests and not a
switch of the product: who wants an uncompiled hasync in earnest installs one.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

PACKAGE = "hasync.binlog.codec"


class Sources(MetaPathFinder):
    """Finds the codec's sources before anything else finds what was made of them."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the source of a module of the codec, None for all other modules."""
        if path is None or not name.startswith(f"{PACKAGE}."):
            return None
        return FileFinder(path[0], (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name, target)


if any(name.startswith(PACKAGE) for name in sys.modules):
    raise RuntimeError(f"{PACKAGE} is imported already; name this plug-in with -p")
sys.meta_path.insert(0, Sources())
