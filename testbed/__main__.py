"""`python -m testbed up`: servers to try things on, until Ctrl-C.  `python -m testbed programs`: what is installed."""

import argparse
import json
import shlex
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from testbed.bed import DATABASES, Testbed
from testbed.servers import StartError
from testbed.trees import MissingError, programs

ENDING = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run the command line and return the exit code."""
    options = parser().parse_args()
    try:
        return show_programs() if options.command == "programs" else up(options)
    except (MissingError, StartError) as error:
        sys.stderr.write(f"testbed: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    result = argparse.ArgumentParser(prog="python -m testbed", description=__doc__)
    commands = result.add_subparsers(dest="command", required=True)
    commands.add_parser("programs", help="name the servers' programs; exit 1 if one is missing")
    start = commands.add_parser("up", help="start one of each and wait for Ctrl-C")
    start.add_argument("--db", choices=sorted(DATABASES), default="mysql")
    start.add_argument("--zookeepers", type=int, default=1, metavar="N", help="1 (default) or an ensemble of N")
    start.add_argument("--keep", action="store_true", help="leave data and logs when done")
    start.add_argument("--json", action="store_true", help="print the addresses as one JSON line")
    return result


def show_programs() -> int:
    """Print where each program is."""
    for name, path in programs().items():
        sys.stdout.write(f"{name:20}{path}\n")
    return 0


def up(options: argparse.Namespace) -> int:
    """Start the servers, print where they are, end them at Ctrl-C or SIGTERM."""
    for number in ENDING:  # a script's background job inherits SIGINT as ignored
        signal.signal(number, end)
    with Testbed(database=options.db, zookeepers=options.zookeepers, keep=options.keep) as bed:
        facts = addresses(bed)
        text = json.dumps(facts) if options.json else f"{table(facts)}\n{paste(facts)}"
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        threading.Event().wait()
    return 0


def end(number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `finally`; a second signal must not cut that short.

    Raises:
        SystemExit: Always, with the exit code that a shell gives to this signal.
    """
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def addresses(bed: Testbed) -> dict[str, str]:
    """Return where the servers are and how to log in."""
    database = bed.database
    return {
        "database": database.flavor,
        "database_address": database.address,
        "database_user": database.reader_user,
        "database_password": database.reader_password,
        "database_root_password": database.root_password,
        "redis_url": f"redis://{bed.redis.address}/0",
        "zookeeper_hosts": bed.zookeeper.hosts,
        "directory": str(bed.directory),
    }


def table(facts: dict[str, str]) -> str:
    """Return the facts as lines for people."""
    return "\n".join(f"{name.replace('_', ' '):24}{value}" for name, value in facts.items())


def paste(facts: dict[str, str]) -> str:
    """Return what to paste into another terminal: the variables of the README's tour, and how to look inside."""
    redis = facts["redis_url"].removeprefix("redis://").removesuffix("/0")
    variables = {
        "HASYNC_ZOOKEEPER__HOSTS": facts["zookeeper_hosts"],
        "MYSQL_PASSWORD": facts["database_password"],
        "SOURCE": facts["database_address"],
        "REDIS": redis,
    }
    export = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    scripts = shlex.quote(str(Path(sys.executable).parent))
    database_host, database_port = facts["database_address"].split(":")
    redis_host, redis_port = redis.split(":")
    return f"""
Paste this into another terminal:

export {export} PATH={scripts}:"$PATH"

SQL as root:   mariadb -h {database_host} -P {database_port} -uroot -p{facts["database_root_password"]}
Redis:         redis-cli -h {redis_host} -p {redis_port}

Ctrl-C ends the servers."""


if __name__ == "__main__":
    sys.exit(main())
