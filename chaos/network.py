"""A network of one's own: a bridge in an unnamed namespace, one more for each node, firewalls that are undone.

The namespaces have no names: they last as long as a process is in them, so nothing is left behind by a run that was
killed, and runs beside each other cannot collide.  Each node has a mount namespace too, for its own /etc/hosts.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed import Process, wait_until

SUBNET: Final = "10.99.0"
HUB: Final = f"{SUBNET}.1"
NEEDED: Final = ("ip", "iptables", "ss", "nsenter", "unshare", "mount", "tc")
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWNET: Final = 0x40000000

Undo = Callable[[], object]


def missing() -> str:
    """Return in one line what this machine lacks for namespaces; empty when it lacks nothing."""
    if os.geteuid() != 0:
        return "chaos makes network namespaces, which needs root"
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    lacking = [name for name in NEEDED if not shutil.which(name, path=path)]
    if lacking:
        return f"chaos lacks the programs {', '.join(lacking)} (Debian: iproute2, iptables, util-linux)"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "chaos may not make network namespaces here (unshare was refused)"


def enter() -> None:
    """Move this process, which must have no other thread yet, into a new network with a bridge in it.

    Raises:
        OSError: The kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare was refused")
    for command in (
        "mount --make-rprivate /",
        "ip link set lo up",
        "ip link add br0 type bridge",
        f"ip addr add {HUB}/24 dev br0",
        "ip link set br0 up",
    ):
        run(*command.split())


def run(*words: str, check: bool = True) -> str:
    """Run a program of the system and return its output.

    Raises:
        RuntimeError: It failed, and `check` is true; with what it said.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Cut:
    """Firewall rules of one node, each to be deleted as it was added."""

    node: "Node"
    rules: tuple[tuple[str, ...], ...]

    def undo(self) -> None:
        """Delete them."""
        for rule in self.rules:
            self.node.run("iptables", "-w", "-D", *rule)


class Node:
    """One machine: a name, an address, a namespace that a sleeping process holds open."""

    def __init__(self, name: str, number: int, directory: Path) -> None:
        """Make the namespace and connect it to the bridge."""
        self.name = name
        self.address = f"{SUBNET}.{number}"
        self.moved_address = f"{SUBNET}.{number + 100}"
        self._holder = Process(
            ["/usr/bin/unshare", "--net", "--mount", "sleep", "infinity"],
            log=directory / f"{name}.holder.log",
            directory=directory,
        )
        self._holder.start()
        self._hosts = directory / f"{name}.hosts"
        wait_until(f"{name} has a namespace", self._apart)
        self._connect(number)

    def _apart(self) -> bool:
        theirs, ours = Path(f"/proc/{self.pid}/ns"), Path("/proc/self/ns")
        return all((theirs / kind).readlink() != (ours / kind).readlink() for kind in KINDS)

    def _connect(self, number: int) -> None:
        port = f"v{number}"
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(self.pid))
        run("ip", "link", "set", port, "master", "br0", "up")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "addr", "add", f"{self.moved_address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "link", "set", "lo", "up")

    @property
    def pid(self) -> int:
        """The process that holds the namespaces."""
        return self._holder.pid

    @property
    def wrap(self) -> list[str]:
        """What stands before a command to run it on this node."""
        return ["/usr/bin/nsenter", f"--net=/proc/{self.pid}/ns/net", f"--mount=/proc/{self.pid}/ns/mnt"]

    def run(self, *words: str, check: bool = True) -> str:
        """Run a program on this node and return its output."""
        return run(*self.wrap, *words, check=check)

    def resolve(self, names: Mapping[str, str]) -> None:
        """Give this node an /etc/hosts of its own, or change it; what is not in it does not resolve."""
        fresh = not self._hosts.exists()
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
        self._hosts.write_text("\n".join(lines) + "\n")
        if fresh:
            self.run("mount", "--bind", str(self._hosts), "/etc/hosts")

    def block(self, peers: Iterable[str], *, how: str = "drop", ways: str = "both") -> Cut:
        """Let nothing through between this node and the peers' addresses.

        Args:
            how: "drop" is silence, "reset" an answer at once.
            ways: "both", or only "in" (no answer arrives) or "out" (no request leaves).
        """
        target = ["-j", "DROP"] if how == "drop" else ["-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]
        chains = {"both": ("OUTPUT", "INPUT"), "in": ("INPUT",), "out": ("OUTPUT",)}[ways]
        sides = {"OUTPUT": "-d", "INPUT": "-s"}
        return self._add(tuple((chain, sides[chain], peer, *target) for peer in peers for chain in chains))

    def lose(self, share: float) -> Cut:
        """Lose that share of all packets that arrive."""
        return self._add(
            (("INPUT", "-m", "statistic", "--mode", "random", "--probability", f"{share:g}", "-j", "DROP"),)
        )

    def redirect(self, peer: str, port: int, to: str) -> Cut:
        """Send new connections to ``peer:port`` elsewhere, ``host:port``."""
        words = ("-t", "nat", "-p", "tcp", "-d", peer, "--dport", str(port), "-j", "DNAT", "--to-destination", to)
        return self._add((("OUTPUT", *words),))

    def _add(self, rules: tuple[tuple[str, ...], ...]) -> Cut:
        for rule in rules:
            self.run("iptables", "-w", "-A", *rule)
        return Cut(self, rules)

    def hang_up(self, peers: Iterable[str]) -> None:
        """Break this node's connections to the peers, as a crashed router does."""
        for peer in peers:
            self.run("ss", "-K", "dst", peer, check=False)

    def narrow(self, rate: str) -> Undo:
        """Let no more than ``rate`` ("16kbit") leave."""
        self.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "4kb", "latency", "800ms")
        return lambda: self.run("tc", "qdisc", "del", "dev", "eth0", "root")

    def close(self) -> None:
        """Give the namespaces up; they vanish with the last process in them."""
        self._holder.kill()


KINDS: Final = ("net", "mnt")
