"""Compiles the codec where a C compiler is; everything else about the build is in ``pyproject.toml``.

Without a compiler, and with ``HASYNC_PURE=1`` in the environment of the build, the same modules are installed
as they are, to run uncompiled: right, and many times slower. ``hasync doctor`` and the worker's log tell which.
Where there is a compiler they must compile: an error in the codec itself never ends as a slow installation.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CODEC = Path("hasync/binlog/codec")
FLAGS = ["-O3", "-g0"]
"""Debian's Python asks for symbols, which are three quarters of a module, and for less optimization."""


class CompileCodec(build_ext):
    """Translates all modules together, since they know parts of each other, and leaves no C file among the sources."""

    def build_extensions(self) -> None:
        """Translate, then compile; ``--parallel`` counts for both."""
        from Cython.Build import cythonize  # noqa: PLC0415 - an uncompiled installation does without

        jobs = int(self.parallel or 0)
        made = cythonize(list(self.extensions), build_dir=self.build_temp, force=bool(self.force), nthreads=jobs)
        sources = {translated.name: translated.sources for translated in made}
        for extension in self.extensions:
            extension.sources = sources[extension.name]
        super().build_extensions()


def modules() -> list[Extension]:
    """Return what to compile; a change of any declaration (``.pxd``) compiles everything anew."""
    declarations = sorted(str(path) for path in CODEC.glob("*.pxd"))
    return [
        Extension(".".join(path.with_suffix("").parts), [str(path)], depends=declarations, extra_compile_args=FLAGS)
        for path in sorted(CODEC.glob("*.py"))
        if path.stem != "__init__"
    ]


def obstacle() -> str:
    """Return what stands in the way of compiling, or nothing."""
    if os.environ.get("HASYNC_PURE", "0") not in {"", "0"}:  # noqa: TID251 - of the build, not of an instance
        return "HASYNC_PURE is set"
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"  # noqa: TID251 - as setuptools does
    command = [*shlex.split(compiler), "-E", "-I", sysconfig.get_path("include"), "-"]
    try:
        probe = subprocess.run(command, input=b"#include <Python.h>\n", capture_output=True, check=False)
    except OSError as error:
        return f"no C compiler ({error})"
    return "" if probe.returncode == 0 else f"{command[0]} does not work, or Python's headers are not installed"


reason = obstacle()
if reason:
    sys.stderr.write(f"hasync: the codec is installed uncompiled, many times slower: {reason}\n")
setup(ext_modules=[] if reason else modules(), cmdclass={"build_ext": CompileCodec})
