"""What must be true of a server before its binlog is read: each setting that would lose rows is named with its remedy.

``hasync doctor`` prints these checks; :meth:`BinlogSource.open` refuses to start when
one fails. Settings can change per session at any time, so the events are guarded too.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from hasync.binlog import partialimages, visibility
from hasync.binlog.server import Server
from hasync.binlog.visibility import UNMATCHED_REMEDY, Visibility
from hasync.errors import SourceRefused
from hasync.model.change import Interest
from hasync.model.check import Check
from hasync.model.position import Flavor

_LEAST_VERSION = {Flavor.MYSQL: (8, 0), Flavor.MARIADB: (10, 6)}
_LEAST_RETENTION_S = 86400
_VARIABLES = (
    "log_bin",
    "binlog_format",
    "binlog_row_image",
    "binlog_row_metadata",
    "mysql56_temporal_format",
    "gtid_mode",
    "binlog_expire_logs_seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    variable: str
    value: str
    reason: str
    warning: bool = False


_EXPECTED = (
    _Expected(variable="log_bin", value="ON", reason="there is nothing to read"),
    _Expected(variable="binlog_format", value="ROW", reason="statements do not say which rows they changed"),
    _Expected(
        variable="mysql56_temporal_format",
        value="ON",
        reason="the length of times in new tables is in the catalog only: needs SELECT on the tables",
        warning=True,
    ),
)
_METADATA = _Expected(
    variable="binlog_row_metadata",
    value="FULL",
    reason="columns are tracked instead: needs SELECT on the tables, halts where a definition hides them",
    warning=True,
)


def checks(server: Server, interest: Callable[[], Interest] | None = None) -> list[Check]:
    """Look at everything. Raises SourceUnavailable, SourceRefused (the account may not even ask).

    ``interest``: what is wanted, asked for only when the binlog may lack some of it; what making it raises is raised.
    """
    variables = server.variables(*_VARIABLES)
    image, metadata = variables.get("binlog_row_image", "FULL"), variables.get("binlog_row_metadata", "FULL")
    whole = image.upper() in partialimages.WHOLE and metadata.upper() == _METADATA.value
    wanted = None if interest is None or whole else interest()
    visible = None if wanted is None else visibility.look(server, wanted)
    found = [_version(server), *_settings(variables), _metadata(metadata, visible)]
    found.append(partialimages.check(server, image, wanted, visible))
    found += [_gtids(server, variables), _retention(variables), _grants(server)]
    return found


def require(server: Server, interest: Interest | None = None) -> None:
    """Raise SourceRefused naming all that fails, with the SQL that mends it."""
    wanted = None if interest is None else lambda: interest
    failed = [check for check in checks(server, wanted) if not check.ok and not check.warning]
    if failed:
        raise SourceRefused(
            f"{server.host}: " + "; ".join(check.detail for check in failed),
            hint="; ".join(check.remedy for check in failed),
        )


def _version(server: Server) -> Check:
    least = _LEAST_VERSION[server.flavor]
    return Check(
        name="source.version",
        ok=server.version_numbers() >= least,
        detail=f"{server.flavor.value} {server.version}",
        remedy=f"upgrade to {server.flavor.value} {least[0]}.{least[1]} or later",
    )


def _settings(variables: Mapping[str, str]) -> Iterator[Check]:
    for expected in _EXPECTED:
        value = variables.get(expected.variable)
        if value is None:
            continue  # MySQL has no other format of times
        yield _setting(expected, value)


def _setting(expected: _Expected, value: str) -> Check:
    ok = value.upper() == expected.value
    return Check(
        name=f"source.{expected.variable}",
        ok=ok,
        warning=expected.warning,
        detail=f"{expected.variable} = {value!r}" + ("" if ok else f": {expected.reason}"),
        remedy=_remedy(expected),
    )


def _metadata(value: str, visible: Visibility | None) -> Check:
    """Look whether the columns that the binlog does not name can be tracked: their tables must be in the catalog."""
    check = _setting(_METADATA, value)
    if visible is None or check.ok:
        return check
    if visible.hidden:
        detail = f"{check.detail}; the account has no SELECT on {visible.hidden_names}"
        return replace(check, warning=False, detail=detail, remedy=f"{visible.grants}; or {check.remedy}")
    if visible.unmatched:
        detail = f"{check.detail}; no table that the account sees matches {visible.unmatched_names}"
        return replace(check, detail=detail, remedy=f"{UNMATCHED_REMEDY}; or {check.remedy}")
    return check


def _remedy(expected: _Expected) -> str:
    if expected.variable == "log_bin":
        return "start the server with log_bin"
    value = expected.value if expected.value in ("ON", "OFF") else f"'{expected.value}'"
    return f"SET GLOBAL {expected.variable} = {value}; and in my.cnf; sessions keep the old value until they reconnect"


def _gtids(server: Server, variables: Mapping[str, str]) -> Check:
    mode = variables.get("gtid_mode", "ON")  # MariaDB always has them
    return Check(
        name="source.gtid",
        ok=mode == "ON",
        warning=True,
        detail=f"gtid_mode = {mode}" if server.flavor is Flavor.MYSQL else "MariaDB GTIDs",
        remedy="without GTIDs the stream cannot follow to another server: SET GLOBAL gtid_mode = ON in its four steps",
    )


def _retention(variables: Mapping[str, str]) -> Check:
    seconds = int(variables.get("binlog_expire_logs_seconds", "0"))
    return Check(
        name="source.retention",
        ok=seconds == 0 or seconds >= _LEAST_RETENTION_S,
        warning=True,
        detail=f"binlog_expire_logs_seconds = {seconds}" + (" (kept for ever)" if not seconds else ""),
        remedy="a longer outage than this loses the position: SET GLOBAL binlog_expire_logs_seconds = 604800",
    )


def _grants(server: Server) -> Check:
    grants = " ".join(str(row[0]).upper() for row in server.rows("SHOW GRANTS"))
    status = "BINLOG MONITOR" if server.flavor is Flavor.MARIADB else "REPLICATION CLIENT"
    missing = [name for name, granted in _needed(grants, status) if not granted]
    return Check(
        name="source.grants",
        ok=not missing,
        detail="may read the binlog" if not missing else f"the account lacks {' and '.join(missing)}",
        remedy=f"GRANT REPLICATION SLAVE, {status} ON *.* TO {server.account}",
    )


def _needed(grants: str, status: str) -> Iterator[tuple[str, bool]]:
    """Yield each privilege, and whether it is there; ``status``: the one to ask for the binlog's end by.

    Privileges that come through a role are not listed; the server itself refuses the dump then.
    """
    anything = "ALL PRIVILEGES ON *.*" in grants or "GRANT `" in grants
    yield "REPLICATION SLAVE", anything or "REPLICATION SLAVE" in grants.replace("REPLICATION SLAVE ADMIN", "")
    yield status, anything or "REPLICATION CLIENT" in grants or "BINLOG MONITOR" in grants
