"""The dump commands that mysql-replication cannot send: beside another dump, and behind a GTID set with tags."""

from struct import pack
from typing import Any

from pymysql.constants import COMMAND

from hasync.binlog.gtids import packed
from hasync.model.gtid import MysqlGtidSet

_NON_BLOCKING = 1
_THROUGH_GTID = 4
_COM_BINLOG_DUMP_GTID = 0x1E
_HEAD = 4
_TAGGED_FORMAT = 1
"""In the first and the last of the eight bytes that count the origins."""


def dump_apart(connection: Any, file: str, pos: int) -> None:
    """Ask for a file from a place on, up to the binlog's end.

    As mysqlbinlog does: a server does not take two dumps of server id 0 for one replica that
    has come back, as it would end one of them.
    """
    _ask(connection, COMMAND.COM_BINLOG_DUMP, pack("<IHI", pos, _NON_BLOCKING, 0) + file.encode())


def dump_behind(connection: Any, gtid_set: str, server_id: int) -> None:
    """Ask MySQL for all transactions that are not in ``gtid_set``, which may have tags."""
    encoded = encode(MysqlGtidSet.parse(gtid_set))
    head = pack("<HIIQI", _THROUGH_GTID, server_id, 0, _HEAD, len(encoded))
    _ask(connection, _COM_BINLOG_DUMP_GTID, head + encoded)


def encode(gtids: MysqlGtidSet) -> bytes:
    """Return a set in the form that servers with tags (8.3 and later) read: intervals end before their last number."""
    parts = [bytes((_TAGGED_FORMAT,)), len(gtids.origins).to_bytes(6, "little"), bytes((_TAGGED_FORMAT,))]
    for origin, spans in sorted(gtids.origins.items()):
        uuid, _, tag = origin.partition(":")
        parts += [bytes.fromhex(uuid.replace("-", "")), packed(len(tag)), tag.encode(), pack("<Q", len(spans))]
        parts += [pack("<QQ", first, last + 1) for first, last in spans]
    return b"".join(parts)


def _ask(connection: Any, command: int, body: bytes) -> None:
    connection._execute_command(command, body)  # noqa: SLF001 - PyMySQL has no public way to send a command
