"""The demo's command line: the whole main job on real servers, and a verdict in the last line."""

import argparse
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pymysql
import redis

from demo import schema
from demo.drill import Drill
from demo.fleet import MEMBERS, STREAM, Instance, apply_config, stop_all
from demo.picture import Picture
from demo.screen import Screen, screen_for
from demo.servers import DATABASES, Servers
from demo.verdict import DemoFailed, Takeover, Verdict
from demo.workload import Workload, seed_first_users
from hasync.model.state import state_key
from testbed import MissingError, StartError, workdir

EXIT_FAILED = 1

TROUBLES = (DemoFailed, StartError, MissingError, pymysql.MySQLError, redis.RedisError, OSError)
"""What parts of the demo raise when they fail; anything else is a bug of the demo and shows its traceback."""


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Kill a leader, lose nothing, double nothing.")
    parser.add_argument("--db", choices=sorted(DATABASES), default="mysql", help="the source (default: %(default)s)")
    parser.add_argument("--secure", action="store_true", help="TLS, ACLs and least-privilege accounts everywhere")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the workload (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of the workload's dice")
    parser.add_argument("--keep", action="store_true", help="keep the logs also after a pass")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Run the demo; return its exit code: 0 pass, 1 fail. KeyboardInterrupt leaves nothing behind."""
    options = arguments(words)
    logs = Path(tempfile.mkdtemp(prefix="hasync-demo-"))
    try:
        verdict = run(options, logs)
    except KeyboardInterrupt:
        shutil.rmtree(logs, ignore_errors=True)
        raise
    if verdict.passed and not options.keep:
        shutil.rmtree(logs, ignore_errors=True)
    else:
        print(f"logs: {logs}", flush=True)
    print(verdict, flush=True)
    return 0 if verdict.passed else EXIT_FAILED


def run(options: argparse.Namespace, logs: Path) -> Verdict:
    """Start everything, run the drill, end everything. What fails on the way is the verdict's trouble."""
    stage = Stage(options, logs)
    try:
        with screen_for() as screen:
            return stage.run(screen)
    except TROUBLES as trouble:
        reason = (str(trouble).splitlines() or [type(trouble).__name__])[0]
        return Verdict(trouble=reason, takeover=stage.takeover)


class Stage:
    """Builds what the drill needs, in order, and takes it down in the opposite one."""

    def __init__(self, options: argparse.Namespace, logs: Path) -> None:
        self._options = options
        self._logs = logs
        self._began_at = time.monotonic()
        self._drill: Drill | None = None

    @property
    def takeover(self) -> Takeover:
        """As far as the drill came."""
        return self._drill.takeover if self._drill else Takeover()

    def run(self, screen: Screen) -> Verdict:
        """Run the drill. Raises any of TROUBLES."""
        with ExitStack() as stack:
            servers = stack.enter_context(self._servers(screen))
            drill = self._drill = Drill(
                servers=servers,
                screen=screen,
                state_key=state_key(STREAM),
                seconds=self._options.seconds,
                began_at=self._began_at,
            )
            self._prepare(servers, drill)
            instances = tuple(Instance(member=member, place=servers.place, logs=self._logs) for member in MEMBERS)
            stack.callback(stop_all, instances)
            cache = servers.redis()
            workload = Workload(seed=self._options.seed, connect=servers.connect, cache=cache)
            return drill.run(instances, workload)

    @contextmanager
    def _servers(self, screen: Screen) -> Iterator[Servers]:
        name = self._options.db
        screen.show(Picture(elapsed_s=0.0, phase=f"starting {name}, redis, zookeeper", servers=(), source=name))
        with workdir() as directory:
            servers = Servers(database=name, directory=directory, logs=self._logs, secure=self._options.secure)
            with servers.running():
                yield servers

    def _prepare(self, servers: Servers, drill: Drill) -> None:
        drill.tell(f"servers are up: {', '.join(' '.join(pair) for pair in servers.addresses)}")
        if self._options.secure:
            drill.tell("all of them speak TLS only; hasync's accounts have just the rights in docs/accounts")
        with servers.connect() as connection:
            schema.create(connection)
            seed_first_users(connection, servers.redis())
        drill.tell(f"four tables, their ledger and first rows made; the workload's seed is {self._options.seed}")
        apply_config(servers.place, self._logs)
        drill.tell(f"config of stream {STREAM!r} applied to ZooKeeper")
