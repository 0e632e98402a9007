"""What Redis' error replies mean to hasync.

Only the error's code and a few fixed texts of Redis are ever repeated: Redis quotes
arguments in some errors ("unknown command ..., with args beginning with: ..."), and
arguments are row values, which must not reach a log (I12).
"""

import re

from redis.exceptions import AuthenticationError, InvalidResponse, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hasync.errors import HasyncError, SinkRefused, SinkUnavailable

PASSING = {
    "LOADING": "Redis is loading its data set",
    "MASTERDOWN": "this replica has lost its primary",
    "CLUSTERDOWN": "the cluster does not serve this slot",
    "TRYAGAIN": "slots are being moved",
    "BUSY": "a script blocks Redis; SCRIPT KILL ends it",
    "MISCONF": "Redis cannot save to disk and refuses writes; free the disk or look into its log",
    "NOREPLICAS": "too few replicas are in step (min-replicas-to-write)",
    "OOM": "Redis is out of memory (maxmemory); raise it or free keys, nothing is lost meanwhile",
    "READONLY": "this server is a replica now; the next connection looks for the primary",
}
"""Errors that waiting heals, and what the operator may do about each."""

RIGHTS = "~hasync:* +watch +unwatch +multi +exec +discard +get +set +del +type +role +info +select +client|setname"
"""What hasync's own user needs besides the rules' commands and keys, as ACL SETUSER takes it."""

LASTING = {
    "NOAUTH": "give the stream a password in redis.password",
    "WRONGPASS": "correct redis.username and redis.password",
    "NOPERM": f"grant the command and the key to hasync's user: ACL SETUSER ... {RIGHTS}, and what the rules use",
    "MOVED": "Redis Cluster is not supported yet; point redis.url at a single primary",
    "ASK": "Redis Cluster is not supported yet; point redis.url at a single primary",
    "CROSSSLOT": "Redis Cluster is not supported yet; point redis.url at a single primary",
    "WRONGTYPE": "the key holds another type; delete or rename it, or correct the rule, then resume the stream",
}
"""Errors that only a human heals, and how."""

OWN = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})
"""Errors that may be this instance's own: its secret may be an old one."""

LOGIN = frozenset({"NOAUTH", "WRONGPASS"})
"""Errors of a password; one that worked before may be in the middle of its rotation."""

DROPPING = frozenset({"READONLY", "LOADING", "MASTERDOWN"})
"""After these the server is another one than it was: the connection is dropped and its state read again."""

_NO_DATABASE = "DB index is out of range"

_FIXED_TEXTS = (
    _NO_DATABASE,
    "value is not an integer or out of range",
    "value is not a valid float",
    "hash value is not an integer",
    "hash value is not a float",
    "increment or decrement would overflow",
    "would produce NaN or Infinity",
    "string exceeds maximum allowed size",
    "syntax error",
    "wrong number of arguments",
    "unknown command",
    "max number of clients reached",
    "invalid expire time",
)
_OTHER_PROTOCOL = "that port speaks another protocol: correct redis.url, and write redis:// where there is no TLS"
_NO_ANSWER = (
    "correct host and port in redis.url (rediss:// waits in vain at a port without TLS), open the firewall, "
    "or look why the server is so slow"
)
_NO_NAME = "the name does not resolve on this machine: correct the host in redis.url, or the DNS"
_HUNG_UP = "the server hangs up: correct the port in redis.url, and write rediss:// where Redis wants TLS"
_CONNECTING = {
    "wrong_version_number": _OTHER_PROTOCOL,
    "wrong version number": _OTHER_PROTOCOL,
    "connection refused": "nothing listens there: start Redis, or correct host and port in redis.url",
    "name or service": _NO_NAME,
    "name resolution": _NO_NAME,
    "no address associated": _NO_NAME,
    "timed out": _NO_ANSWER,
    "closed": _HUNG_UP,
    "reset": _HUNG_UP,
}
"""What redis-py says when it cannot connect, in small letters, and what to do about it."""

_REASON = re.compile(r"because of: ([A-Z]+)\b")
_CODE = re.compile(r"([A-Z][A-Z0-9]+)\b")


def code_of(error: RedisError) -> str:
    """Return the code of an error reply, the word it begins with; for EXECABORT the code of its cause if told."""
    text = str(error)
    if error.status_code == "EXECABORT" and (cause := _REASON.search(text)):
        return cause[1]
    if isinstance(error, AuthenticationError) and error.status_code not in LASTING:
        return "WRONGPASS"  # spelled "ERR invalid password" by old servers
    if error.status_code:
        return error.status_code
    code = _CODE.match(text)
    return code[1] if code else "ERR"


def describe(error: RedisError) -> str:
    """Return the code, and Redis' words when they are known to quote no argument."""
    code, text = code_of(error), str(error)
    known = next((fixed for fixed in _FIXED_TEXTS if fixed in text), "")
    return f"{code} {known}" if known else code


def mapped(error: RedisError, doing: str) -> HasyncError:
    """Return what ``error``, a reply to ``doing``, means: SinkUnavailable or SinkRefused."""
    code = code_of(error)
    message = f"Redis answered {describe(error)} to {doing}"
    if code in PASSING or (isinstance(error, RedisConnectionError) and code not in LASTING):
        return SinkUnavailable(message, hint=PASSING.get(code, ""))
    refused = SinkRefused(message, hint=_lasting_hint(error, code))
    refused.local = code in OWN
    return refused


def _lasting_hint(error: RedisError, code: str) -> str:
    if _NO_DATABASE in str(error):
        return "correct the database number in redis.url; Redis has 'databases' of them, 16 unless configured"
    return LASTING.get(
        code, "this server does not do what hasync needs: use Redis 6.0 or later, without a proxy before it"
    )


def remedy_of(error: HasyncError) -> str:
    """Say what to do about a server that could not be asked: its own hint, or one made of the driver's error."""
    cause = error.__cause__
    text = str(cause).lower()
    if error.hint:
        return error.hint
    if isinstance(cause, InvalidResponse):
        return _OTHER_PROTOCOL
    if isinstance(cause, RedisTimeoutError):
        return _NO_ANSWER
    found = (remedy for words, remedy in _CONNECTING.items() if words in text)
    return next(found, "correct redis.url, and see that Redis runs and that this machine may reach it")
