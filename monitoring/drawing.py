"""Draws the dashboards in a browser without a window, with Grafana's own components.

There is no Grafana to be had as a package of Debian, PyPI or npm, but its components are:
``monitoring/browser`` puts them on a page, and chromium takes its picture.
"""

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Final

from testbed import MissingError
from testbed.trees import program
from testbed.workdirs import cache, locked

BROWSER: Final = Path(__file__).with_name("browser")
WIDTH: Final = 1600
LINE: Final = 34
DRAWN_WITHIN_S: Final = 120.0
INSTALLED_WITHIN_S: Final = 600.0

PAGE: Final = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; background: #111217 }} * {{ box-sizing: border-box }}
button {{ color: inherit; background: none; border: 0; font: inherit; padding: 0 }}</style>
<link rel="stylesheet" href="app.css"><div id="root"></div>
<script>window.RUN = {run};</script><script src="app.js"></script>
"""


def draw(report: Path) -> list[str]:
    """Draw what a run has kept in ``report``; return the faults, in words.

    Raises MissingError without npm or chromium, RuntimeError with their words when one fails.
    """
    for needed in ("npm", "node", "chromium"):
        _needed(needed)
    bundle = _bundle(_packages())
    faults: list[str] = []
    for path in sorted(report.glob("*.data.json")):
        picture = path.with_name(path.name.replace(".data.json", ".png"))
        faults += [f"{picture.stem}: {fault}" for fault in _picture(json.loads(path.read_text()), bundle, picture)]
        print(f"drawn: {picture}")
    return faults


def _needed(name: str) -> Path:
    try:
        return program(name)
    except MissingError as missing:
        raise MissingError(
            f"{name} (Debian: apt-get install npm chromium; ARGS=--no-pictures does without)"
        ) from missing


def _packages() -> Path:
    """Return the directory with node's packages, filled at the first time; a new package.json gets a new one."""
    wanted = (BROWSER / "package.json").read_bytes()
    home = cache() / f"dashboards-{hashlib.sha256(wanted).hexdigest()[:12]}"
    with locked(cache() / "dashboards.lock"):
        if not (home / "complete").exists():
            print(f"fetching Grafana's components into {home} (half a gigabyte, once)", flush=True)
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_bytes(wanted)
            _run(home, program("npm"), *("install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"))
            (home / "complete").touch()
    return home


def _bundle(home: Path) -> Path:
    """Return the directory with the page's script, made anew each time."""
    out = home / "bundle"
    esbuild = home / "node_modules/.bin/esbuild"
    options = ("--bundle", "--minify", "--log-level=error", '--define:process.env.NODE_ENV="production"')
    (home / "app.jsx").write_bytes((BROWSER / "app.jsx").read_bytes())  # where its imports are found
    _run(
        home,
        esbuild,
        "app.jsx",
        *options,
        f"--outdir={out}",
        *(f"--loader:.{kind}=dataurl" for kind in ("svg", "ttf", "woff2")),
    )
    (out / "app.css").touch()
    return out


def _picture(run: dict[str, object], bundle: Path, picture: Path) -> list[str]:
    """Draw one dashboard; return what went wrong."""
    panels = run["dashboard"]["panels"]  # type: ignore[index]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * LINE + LINE
    page = bundle / f"{picture.stem}.html"
    text = json.dumps(run | {"height": height}).replace("</", "<\\/")
    page.write_text(PAGE.format(title=picture.stem, run=text), encoding="utf-8")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=10000")
    told = _run(
        bundle,
        program("chromium"),
        *options,
        *("--enable-logging=stderr", f"--window-size={WIDTH},{height}", f"--screenshot={picture.resolve()}"),
        page.as_uri(),
    )
    faults = re.findall(r"FAULT [^\"\n]*|Uncaught [^\"\n]*", told)
    return faults if "DRAWN" in told else [*faults, "the page was not drawn"]


def _run(directory: Path, *command: str | Path) -> str:
    """Run a program and return what it says. Raises RuntimeError with its last words when it fails."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALLED_WITHIN_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout
