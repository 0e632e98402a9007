"""What the servers' own tools reach, doing half of the work each: marks to measure a contender by."""

import subprocess
import time
from pathlib import Path

from benchmarks.task import Answer, Task, Void, peak_rss_mb
from testbed.trees import mysql_tree, program


def read(task: Task) -> Answer:
    """Copy the binlog file with ``mysqlbinlog --raw``: events are sent and stored, nothing is decoded."""
    copies = Path(task.scratch)
    seconds = _timed(
        *mysql_tree().command("mysqlbinlog"),
        "--no-defaults",
        "--read-from-remote-server",
        "--raw",
        f"--result-file={copies}/",
        f"--host={task.host}",
        f"--port={task.source_port}",
        f"--user={task.source_user}",
        f"--password={task.source_password}",
        "--ssl-mode=DISABLED",
        "--get-server-public-key",
        task.file,
    )
    copied = (copies / task.file).stat().st_size
    (copies / task.file).unlink()
    if copied < task.end_pos:
        raise Void(f"mysqlbinlog copied {copied} bytes of {task.end_pos}")
    return Answer(rows=task.rows, seconds=seconds, peak_rss_mb=peak_rss_mb())


def write(task: Task) -> Answer:
    """Replay the workload's commands with ``redis-cli --pipe``: nothing is read, decoded, or known of a position."""
    command = (str(program("redis-cli")), "-h", task.host, "-p", str(task.redis_port), "--pipe")
    with Path(task.stream).open("rb") as stream:
        seconds = _timed(*command, stdin=stream.fileno())
    return Answer(rows=task.rows, seconds=seconds, peak_rss_mb=peak_rss_mb())


def _timed(*command: str, stdin: int = subprocess.DEVNULL) -> float:
    began = time.monotonic()
    done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    seconds = time.monotonic() - began
    if done.returncode:
        raise Void(
            f"{command[0]} ended with exit code {done.returncode}: {done.stdout.decode(errors='replace')[-500:]}"
        )
    return seconds
