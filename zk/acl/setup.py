# ruff: noqa: INP001 - a script, not a package
"""Gives hasync's part of ZooKeeper to one identity; shows what it would do unless told to --execute."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from kazoo.security import ACL

from hasync.clock import SystemClock
from hasync.cluster.access import Auth, Grant, Tls, default_acl
from hasync.cluster.guarded import ensure
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children
from hasync.cluster.znodes import Znodes
from hasync.errors import ConfigInvalid, HasyncError

CONNECT_S = 10.0


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="setup.py", description=__doc__)
    parser.add_argument("--hosts", required=True, help="host:port,host:port")
    parser.add_argument("--root", default="/hasync")
    parser.add_argument("--auth", help="scheme:credential to connect as, e.g. digest:user:password")
    parser.add_argument("--ca", help="authority of the servers' certificates (PEM); switches TLS on")
    parser.add_argument("--cert", default="", help="client certificate (PEM)")
    parser.add_argument("--key", default="", help="its key (PEM)")
    parser.add_argument("--grant", action="append", default=[], help="scheme:identity:rights, rights of cdrwa")
    parser.add_argument("--execute", action="store_true")
    return parser.parse_args(argv)


def identity(text: str | None) -> Auth | None:
    """Read ``scheme:credential``."""
    if text is None:
        return None
    scheme, _, credential = text.partition(":")
    return Auth(scheme=scheme, credential=credential)


def grant(text: str) -> Grant:
    """Read ``scheme:identity:rights``; the identity may hold colons itself."""
    scheme, _, rest = text.partition(":")
    name, _, rights = rest.rpartition(":")
    return Grant(scheme=scheme, identity=name, rights=rights)


def tree(session: ZooKeeperSession, path: str) -> Iterator[str]:
    """Yield a node and all below it."""
    yield path
    for name in children(session, "acl.list", path):
        yield from tree(session, f"{path}/{name}")


def close(session: ZooKeeperSession, path: str, entries: list[ACL]) -> None:
    """Give one node to the identities of ``entries``."""
    session.call("acl.set", lambda client: client.set_acls_async(path, entries))


def run(options: argparse.Namespace) -> int:
    """Set the ACLs; return the exit code."""
    auth = identity(options.auth)
    tls = Tls(ca=options.ca, cert=options.cert, key=options.key) if options.ca else None
    own = default_acl(auth, tls, ())
    if own is None:
        raise ConfigInvalid("an identity is needed", hint="--auth digest:user:password, or --ca with --cert and --key")
    entries = own + [grant(text).to_acl() for text in options.grant]
    session = ZooKeeperSession(hosts=options.hosts.split(","), clock=SystemClock(), auth=auth, tls=tls)
    session.start()
    try:
        session.await_connected(CONNECT_S)
        znodes = Znodes(options.root)
        if options.execute:
            ensure(session, znodes.members, znodes.streams)
        for path in tree(session, znodes.root):
            if options.execute:
                close(session, path, entries)
            print(f"{'closed' if options.execute else 'would close'} {path}")  # noqa: T201 - a script
    finally:
        session.stop(CONNECT_S)
    return 0


def main() -> int:
    """Run, and report an error in one line."""
    try:
        return run(arguments(sys.argv[1:]))
    except HasyncError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
