"""The compiled core: packets, row events and row images in, values and commands out, with no Python object per column.

Every module here is plain Python that Cython turns into an extension module next to it
(``setup.py``). Where nothing could be compiled the same modules run as they are: with
the same results, many times slower.
"""

from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Final


def _compiled() -> bool:
    """Ask the import system, which also knows what a test or an installation made of it, rather than the directory."""
    specs = [find_spec(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return bool(specs) and all(spec is not None and isinstance(spec.loader, ExtensionFileLoader) for spec in specs)


COMPILED: Final = _compiled()
"""Whether all modules of the codec run as machine code; a mixture of both is as slow as none."""
