"""Asks Redis' Sentinels who the primary is.

Sentinels gossip, so one that was cut off, perhaps together with the old primary, still names that one. More than half
of them are therefore asked, and the answer of the newest configuration wins (``config-epoch`` rises with every
failover). Where fewer answer, the best of those counts: who is no primary any more says so (``ROLE``), and what is
written to one that is cut off is found missing, and done again, when it comes back as a replica.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import hiredis
from redis.exceptions import RedisError

from hasync.errors import SinkRefused, SinkUnavailable
from hasync.model.names import Endpoint
from hasync.sinks.endpoint import RedisEndpoint, Wire
from hasync.sinks.faults import LASTING, code_of, mapped

pack: Any = hiredis.pack_command  # its stub knows tuples of one only


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What one Sentinel says."""

    primary: Endpoint
    config_epoch: int


def locate(endpoint: RedisEndpoint) -> Endpoint:
    """Return where the primary is, as most of the endpoint's Sentinels, or those that answer, know it.

    Each is given half of ``connect_timeout_s`` to take a connection. Raises
    SinkUnavailable when none knows the primary, SinkRefused when none lets this client in.
    """
    answers: list[Announced] = []
    troubles: list[SinkUnavailable | SinkRefused] = []
    for sentinel in endpoint.sentinels:
        try:
            answers.append(_ask(endpoint, sentinel))
        except (SinkUnavailable, SinkRefused) as trouble:
            troubles.append(trouble)
        if 2 * len(answers) > len(endpoint.sentinels):
            break
    if not answers:
        raise _nobody(troubles, endpoint.primary)
    return max(answers, key=lambda answer: answer.config_epoch).primary


def _ask(endpoint: RedisEndpoint, sentinel: Endpoint) -> Announced:
    wire: Wire = endpoint.connection_to(sentinel)
    try:
        wire.connect()
        wire.send_packed_command([pack(("SENTINEL", "MASTER", endpoint.primary))], check_health=False)
        fields = _pairs(wire.read_response(disable_decoding=True, timeout=endpoint.connect_timeout_s / 2))
        host, port = fields["ip"], int(fields["port"])
        return Announced(primary=Endpoint(host, port), config_epoch=int(fields.get("config-epoch", 0)))
    except RedisError as error:
        raise _trouble(error, sentinel, endpoint.primary) from error
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        hint = "redis.url with +sentinel names Sentinels, not data servers"
        raise SinkUnavailable(f"{sentinel} does not answer as a Sentinel does", hint=hint) from error
    finally:
        wire.disconnect()


def _pairs(reply: Any) -> dict[str, str]:
    words = [word.decode() for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


def _trouble(error: RedisError, sentinel: Endpoint, primary: str) -> SinkUnavailable | SinkRefused:
    text = str(error).lower()
    if "no such master" in text:
        hint = "correct the name in redis.url; 'sentinel monitor' gives it"
        return SinkUnavailable(f"Sentinel {sentinel} knows no primary called {primary!r}", hint=hint)
    if "unknown command" in text:
        hint = "redis.url with +sentinel names Sentinels, not data servers"
        return SinkUnavailable(f"{sentinel} is no Sentinel", hint=hint)
    if code_of(error) in LASTING:
        found = mapped(error, f"the question to Sentinel {sentinel}")
        if isinstance(found, SinkRefused):
            found.hint = "give redis.sentinel_password, and an account that may run SENTINEL MASTER"
            return found
    return SinkUnavailable(f"Sentinel {sentinel}: {error}")


def _nobody(troubles: Iterable[SinkUnavailable | SinkRefused], primary: str) -> SinkUnavailable | SinkRefused:
    known = list(troubles)
    if known and all(isinstance(trouble, SinkRefused) for trouble in known):
        return known[0]
    words = "; ".join(trouble.message for trouble in known)
    hint = next((trouble.hint for trouble in known if trouble.hint), "start the Sentinels, or correct redis.url")
    return SinkUnavailable(f"no Sentinel names the primary {primary!r}: {words}", hint=hint)
