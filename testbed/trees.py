"""Where the servers' programs are: installed, or in the MySQL tree that `scripts/setup.sh` unpacks into the cache."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed.workdirs import cache

JARS = Path("/usr/share/java")
MYSQL_TREE = "mysql-tree-1"  # scripts/setup.sh makes it under this name; a new recipe takes the next number


class MissingError(Exception):
    """A program the testbed needs is not installed; the message says which and what to do."""

    def __init__(self, what: str) -> None:
        super().__init__(f"missing: {what}; run scripts/setup.sh (as root, on Debian 12)")


def program(*names: str) -> Path:
    """Return the first program of these names on the path; the sbin directories count, also without root.

    Raises:
        MissingError: None is installed.
    """
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    for name in names:
        if found := shutil.which(name, path=path):
            return Path(found)
    raise MissingError(" or ".join(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class MySqlTree:
    """MySQL's programs: in a file system tree of another Debian release, or (`root` None) installed ones."""

    root: Path | None

    def command(self, name: str) -> list[str]:
        """Return the command line that runs one of MySQL's programs, arguments to be added.

        Programs of the tree run through the tree's own loader, with the tree's libraries: no chroot, no root needed.
        """
        if self.root is None:
            return [str(program(name))]
        [loader] = self.root.glob("usr/lib*/ld-linux-*.so.*")
        libraries = [*self.root.glob("usr/lib/*-linux-gnu"), self.root / "usr/lib/mysql/private"]
        folder = "usr/sbin" if name == "mysqld" else "usr/bin"
        return [str(loader), "--library-path", ":".join(map(str, libraries)), str(self.root / folder / name)]

    @property
    def server_options(self) -> list[str]:
        """Options that mysqld needs to find the parts of the tree."""
        if self.root is None:
            return []
        share = self.root / "usr/share/mysql"
        return [
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={self.root / 'usr/lib/mysql/plugin'}",
        ]

    def version(self) -> str:
        """Return what `mysqld --version` says."""
        return _version(tuple(self.command("mysqld")))


@functools.cache
def _version(command: tuple[str, ...]) -> str:
    return subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def mysql_tree() -> MySqlTree:
    """Return MySQL's programs: the tree in the cache, else a mysqld on the path that is not MariaDB's.

    Raises:
        MissingError: There is neither.
    """
    root = cache() / MYSQL_TREE
    if root.is_dir():
        return MySqlTree(root=root)
    installed = MySqlTree(root=None)
    try:
        if "MariaDB" not in installed.version():
            return installed
    except MissingError:
        pass
    raise MissingError("MySQL's mysqld")


def mariadb_version() -> str:
    """Return what `mariadbd --version` says."""
    return _version((str(program("mariadbd")),))


def redis_server() -> Path:
    """Return the Redis server, or the checker of Debian's redis-tools.

    They are one program that looks at the name it is called by.  Debian's redis-server package starts a service when
    it is installed, redis-tools does not: so that one is used, through a link with the right name.
    """
    return program("redis-server", "redis-check-rdb")


def zookeeper_classpath(*, netty: bool = False) -> str:
    """Return the class path of ZooKeeper with a logger that writes to standard error.

    Args:
        netty: with the library that TLS needs, beside those of its parts that ZooKeeper's own jar names.

    Raises:
        MissingError: A jar is not installed.
    """
    jars = [JARS / "zookeeper.jar", JARS / "slf4j-simple.jar"]
    for jar in jars:
        if not jar.exists():
            raise MissingError(f"ZooKeeper's {jar.name}")
    more = sorted(JARS.glob("netty-*.jar")) if netty else []
    if netty and not more:
        raise MissingError("Netty's jars (libnetty-java)")
    return ":".join(map(str, jars + more))


def programs() -> dict[str, str]:
    """Return where each program is, by name.

    Raises:
        MissingError: One is not installed.
    """
    return {
        "mysqld": mysql_tree().command("mysqld")[-1],
        "mariadbd": str(program("mariadbd")),
        "mariadb-install-db": str(program("mariadb-install-db")),
        "redis-server": str(redis_server()),
        "java": str(program("java")),
        "zookeeper": zookeeper_classpath(),
    }
