"""``hasync`` and ``python -m hasync``: the command line."""

import sys
from pathlib import Path

from hasync.cli.app import app


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    here = str(Path.cwd())
    if here not in sys.path:
        # A config's handlers may lie in the current directory, last of all: it must not shadow a library.
        sys.path.append(here)
    app(prog_name="hasync")


if __name__ == "__main__":
    main()
