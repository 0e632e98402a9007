"""What the figures were measured on: a figure without it says nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.golang import modules

PACKAGES = ("mysql-replication", "PyMySQL", "redis", "hiredis")


def machine(*, mysql: str, redis: str) -> dict[str, Any]:
    """Describe processor, load, interpreter, servers and drivers."""
    return {
        "cpu": _processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "mysql": mysql,
        "redis": redis,
        "packages": {package: version(package) for package in PACKAGES} | modules(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
