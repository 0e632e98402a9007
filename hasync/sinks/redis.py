"""The Redis sink: batches applied exactly once, fenced by epoch, through the state key.

Protocol (``docs/decisions/0003-state-key.md``): a batch and its state are one
transaction on a connection that WATCHes the state key, and the WATCH and GET for the
next batch ride behind it in the same buffer. So Redis itself rejects a batch, also one
that was already on the wire, once anybody else wrote the state key. After a reconnect,
or any reply that is not the plain success, the state is read and judged before
anything is sent.

A claim competes with the leader before it for the state key, and a busy leader wins
nearly always: its batch takes one round trip, a claim two. So a claim that lost once
announces itself under a key of its own (``claim_key``), which leaders watch too: from
there on no older leader writes. The announcement decides nothing, the state does.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from redis.exceptions import RedisError

from hasync.errors import EndReason, HasyncError, SinkRefused, SinkUnavailable, TermEnded
from hasync.model.command import Command, Packed, Repeat
from hasync.model.position import Position
from hasync.model.state import SinkState, state_key
from hasync.ports import Clock
from hasync.sinks.batch import Batch
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.exchange import EXEC, MULTI, Exchange, Reply
from hasync.sinks.faults import DROPPING, code_of, mapped
from hasync.sinks.verdict import Verdict, judge, trouble

_CLAIM_TRIES = 16
_ANNOUNCED_S = b"60"  # seconds after which the announcement of a candidate that died is forgotten
_BATCH_TRIES = 5
_WATCHED_TRIES = 3


def claim_key(stream: str) -> str:
    """Return the key under which a claim asks older leaders to stop; it lives no longer than the claim."""
    return state_key(stream).removesuffix("state") + "claim"


def ignore_fencing(state: SinkState) -> None:
    """Do nothing about a fenced write: the default of ``on_fenced``."""


class RedisSink:
    """:class:`hasync.ports.Sink` on one Redis primary. Called from: the stream's thread only.

    After TermEnded, Regressed or StateMissing nothing is applied any more until
    :meth:`claim` is called with a higher epoch. ``on_fenced`` is told the foreign
    state each time that a newer epoch, or another writer, stopped this leader's write.
    """

    def __init__(
        self,
        *,
        stream: str,
        endpoint: RedisEndpoint,
        clock: Clock,
        client_name: str = "hasync",
        on_fenced: Callable[[SinkState], None] = ignore_fencing,
    ) -> None:
        """Keep the settings; the first call connects."""
        self._key = state_key(stream)
        self._claim_key = claim_key(stream).encode()
        self._get: Command = (b"GET", self._key.encode())
        self._watch_state: Command = (b"WATCH", self._key.encode())
        self._watch: Command = (*self._watch_state, self._claim_key)
        self._read: tuple[Command, ...] = (self._get, (b"GET", self._claim_key))
        self._announced = 0  # the epoch that somebody is claiming, as last read; 0: none
        self._clock = clock
        self._exchange = Exchange(endpoint, clock, client_name=client_name)
        self._on_fenced = on_fenced
        self._seen: SinkState | None = None
        self._has_seen = False
        self._claimed = b""  # the bytes of a claim sent, to know it again after a lost reply
        self._written: SinkState | None = None
        self._begin: Position | None = None  # where the next batch begins
        self._attempt: tuple[SinkState, Batch | None] | None = None  # sent, reply unknown
        self._armed = False  # the connection watches the state key, and it was `_written` since

    def peek(self) -> SinkState | None:
        """See :meth:`hasync.ports.Sink.peek`."""
        self._connect()
        (reply,) = self._ask((self._get,))
        self._seen, self._has_seen = self._decoded(reply), True
        return self._seen

    def claim(self, epoch: int, adopt: SinkState | None) -> SinkState:
        """See :meth:`hasync.ports.Sink.claim`. Begin at the state returned, not at ``adopt``.

        A leader of an older epoch may still be applying between :meth:`peek` and the
        claim (it loses its session, not its Redis). Ending the term for that would
        start a race that a busy zombie always wins; so when ``adopt`` is what was
        peeked and the state only moved on, the newer state is adopted and returned.
        Any other change since the peek ends the term (FENCED).
        """
        for _ in range(_CLAIM_TRIES):
            raw = self._arm(self._watch_state)  # not the announcements: rivals would only stop each other
            stored = self._decoded(raw)
            if stored is not None and raw == self._claimed and stored.epoch == epoch:
                self._begin_term(stored)  # the reply to our claim was lost
                return self._confirmed(raw)
            claim = replace(self._adopted(epoch, adopt, stored), epoch=epoch, applied_at=self._clock.wall())
            self._claimed = _encoded(claim)
            executed, raw = self._transact(self._claimed, ((b"DEL", self._claim_key),))
            if isinstance(executed, list):
                self._begin_term(claim)
                return self._confirmed(raw)
            self._ask(((b"SET", self._claim_key, b"%d" % epoch, b"EX", _ANNOUNCED_S),))
        raise SinkUnavailable(f"{self._key} changed {_CLAIM_TRIES} times while it was claimed")

    def apply(self, commands: Sequence[Command | Packed], position: Position) -> SinkState:
        """See :meth:`hasync.ports.Sink.apply`.

        A refused command (WRONGTYPE ...) raises SinkRefused. If the batch is
        repeatable the state is back at its begin then; otherwise types were checked
        before anything was written, and only an error that no check foresees (INCRBY
        on text) leaves the state past the batch, as the message says.
        """
        batch = Batch.of(commands, position)
        for attempt in range(_BATCH_TRIES):
            if not self._armed and self._settled(batch):
                return self._leader()
            if self._needs_types(batch):
                self._check_types(batch, watched=attempt < _WATCHED_TRIES)
            if self._sent(batch):
                return self._leader()
        raise SinkUnavailable(f"keys of the batch changed {_BATCH_TRIES} times while it was applied")

    def close(self) -> None:
        """See :meth:`hasync.ports.Sink.close`."""
        self._armed = False
        self._exchange.close()

    # ------------------------------------------------------------------- the claim

    def _adopted(self, epoch: int, adopt: SinkState | None, stored: SinkState | None) -> SinkState:
        if stored is not None and stored.epoch >= epoch:
            raise TermEnded(EndReason.FENCED, f"epoch {stored.epoch} has claimed {self._key}, ours is {epoch}")
        seen = self._seen if self._has_seen else adopt
        if _same(stored, seen):
            return adopt or SinkState(epoch=epoch, seq=0, position=None)
        if stored is not None and _same(adopt, seen) and _moved_on(seen, stored):
            return stored
        raise TermEnded(EndReason.FENCED, f"{self._key} changed since it was read; it has to be read again")

    def _begin_term(self, claim: SinkState) -> None:
        self._written, self._attempt = claim, None
        self._begin = claim.redo_from or claim.position

    # ------------------------------------------------------------------- one batch

    def _leader(self) -> SinkState:
        """Return the last confirmed write. Raises TermEnded when nothing was claimed."""
        if self._written is None:
            raise TermEnded(EndReason.LOCAL_FAULT, f"{self._key} was never claimed by this instance")
        return self._written

    def _settled(self, batch: Batch) -> bool:
        """Read the state on a watched connection and judge it; True: ``batch`` is in already."""
        written = self._leader()
        stored = self._decoded(self._arm(self._watch))
        sent, pending = self._attempt or (None, None)
        verdict = judge(stored, written, sent)
        if sent is None or verdict is not Verdict.ATTEMPT:
            self._judged(verdict, stored)
            return False
        if pending is not None and not pending.same_as(batch):
            message = f"another batch was offered while {self._key} already held the one before"
            raise TermEnded(EndReason.LOCAL_FAULT, message)
        self._written = sent
        self._judged(Verdict.WRITTEN, stored)
        if pending is None or batch.repeat is Repeat.REPEATABLE:
            # The restore after a refusal went in, and this is the batch again; or its replies are
            # lost and a refusal with them: it is sent once more to hear it, which is harmless.
            return False
        self._begin = batch.position
        return True

    def _sent(self, batch: Batch) -> bool:
        """Send the batch; False: it was not applied, and may be sent again. Raises as apply."""
        attempt = self._next(batch.position, redo_from=self._begin if batch.repeat is Repeat.REPEATABLE else None)
        self._attempt, self._armed = (attempt, batch), False
        executed, raw = self._transact(_encoded(attempt), batch.commands, batch)
        if executed is None:
            return False
        self._written, self._attempt = attempt, None
        if refusal := batch.refusal(executed):
            self._refused(batch, raw, *refusal)
        self._begin = batch.position
        self._confirmed(raw)
        return True

    def _refused(self, batch: Batch, raw: Reply, index: int, error: RedisError) -> None:
        """Raise SinkRefused for command ``index``, with the state back at the batch's begin if it can be repeated.

        ``raw``: the state read behind the batch. It is judged first: the connection watches the state as of then,
        so a claim that came between would be overwritten by the restore.
        """
        if batch.repeat is Repeat.ONCE or self._begin is None:
            self._begin = batch.position
            raise batch.refused(index, error, "that command had no effect, the rest of the batch is applied")
        self._confirmed(raw)
        restored = self._next(self._begin, redo_from=None)
        self._attempt, self._armed = (restored, None), False
        refused = batch.refused(index, error, "the batch is repeated when the stream resumes")
        try:
            executed, raw = self._transact(_encoded(restored))
        except SinkUnavailable:
            raise refused from None  # redo_from, in the state already, says the same
        if executed is not None:
            self._written, self._attempt = restored, None
        self._confirmed(raw)
        raise refused

    def _next(self, position: Position | None, *, redo_from: Position | None) -> SinkState:
        written = self._leader()
        return SinkState(
            epoch=written.epoch,
            seq=written.seq + 1,
            position=position,
            source=position.server_uuid if position else written.source,
            applied_at=self._clock.wall(),
            redo_from=redo_from,
        )

    def _needs_types(self, batch: Batch) -> bool:
        if batch.repeat is Repeat.REPEATABLE:
            return self._begin is None  # nothing to write back to: be sure beforehand
        return batch.repeat is Repeat.ONCE

    def _check_types(self, batch: Batch, *, watched: bool) -> None:
        """Ask for the types first; a key whose type changes after that fails EXEC, if ``watched``.

        Not watched after some tries: a key that others write all the time would
        starve the stream, and a refusal at EXEC is loud as well.
        """
        keys = batch.typed_keys()
        if not keys:
            return
        watches: tuple[Command, ...] = ((b"WATCH", *keys),) if watched else ()
        self._armed = False  # until EXEC the connection watches more than the state
        types = self._ask((*watches, *((b"TYPE", key) for key in keys)))[len(watches) :]
        batch.check_types(dict(zip(keys, types, strict=True)))

    # -------------------------------------------------------------------- the wire

    def _connect(self) -> None:
        if not self._exchange.is_open:
            self._armed = False
            self._exchange.open()
            self._exchange.greet()

    def _arm(self, watch: Command) -> Reply:
        """Watch on this connection what ``watch`` says and nothing else, then read the state."""
        self._connect()
        self._armed = False
        *_, raw, announced = self._ask(((b"UNWATCH",), watch, *self._read))
        self._announced = _epoch(announced)
        return raw

    def _ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Send plain commands. Raises SinkUnavailable, SinkRefused when one is answered with an error."""
        replies = self._exchange.ask(commands)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, RedisError):
                raise self._answered(reply, " ".join((command[0].decode(), *map(_text, command[1:2]))))
        return replies

    def _transact(
        self, raw: bytes, commands: Sequence[Command | Packed] = (), batch: Batch | None = None
    ) -> tuple[list[Reply] | None, Reply]:
        """Run ``commands``, those of ``batch`` if given, and the new state as one transaction; watch again and read.

        Return EXEC's replies (None: somebody wrote a watched key, nothing was
        applied) and the state that Redis holds now. Raises when Redis refused to run
        it, with nothing applied.
        """
        write: Command = (b"SET", self._key.encode(), raw)
        replies = self._exchange.ask((MULTI, *commands, write, EXEC, self._watch, *self._read))
        *queued, executed, watched, found, announced = replies
        if isinstance(executed, RedisError):
            self._attempt = None
            raise self._not_run(executed, queued, batch)
        if executed and isinstance(executed[-1], RedisError):
            self._attempt = None
            raise mapped(executed[-1], f"SET {self._key}; the batch is applied, its position is not")
        for reply in (watched, found, announced):
            if isinstance(reply, RedisError):
                raise self._answered(reply, f"WATCH and GET {self._key}")
        self._announced = _epoch(announced)
        # At nil `_attempt` stays: an earlier try of it, given up for lost, may be what changed the state.
        return executed, found

    def _not_run(self, executed: RedisError, queued: Sequence[Reply], batch: Batch | None) -> HasyncError:
        """Return why EXEC was refused as a whole: the first command that Redis would not queue, if any."""
        first = next((index for index, reply in enumerate(queued) if isinstance(reply, RedisError)), None)
        if first is None:
            return self._answered(executed, "EXEC; nothing of the batch was applied")
        if batch is None or not 0 < first <= batch.replies:
            return self._answered(queued[first], f"a transaction on {self._key}; nothing was applied")
        error = self._answered(queued[first], "the batch")
        if isinstance(error, SinkUnavailable):
            return error
        return batch.refused(first - 1, queued[first], "nothing of the batch was applied")

    def _answered(self, error: RedisError, doing: str) -> HasyncError:
        if code_of(error) in DROPPING:
            self.close()
        return mapped(error, doing)

    def _confirmed(self, raw: Reply) -> SinkState:
        """Judge the state read behind a transaction that went in: only that very write may be there."""
        stored = self._decoded(raw)
        self._judged(judge(stored, self._leader()), stored)
        return self._leader()

    def _judged(self, verdict: Verdict, stored: SinkState | None) -> None:
        """Arm when the state is the last confirmed write, raise what the verdict means otherwise."""
        self._seen, self._has_seen = stored, True
        if verdict is Verdict.WRITTEN and stored is not None and self._announced > stored.epoch:
            verdict, stored = Verdict.FENCED, replace(stored, epoch=self._announced)
        if verdict is Verdict.WRITTEN:
            self._attempt, self._armed = None, True
            return
        if verdict in {Verdict.FENCED, Verdict.FOREIGN} and stored is not None:
            self._on_fenced(stored)
        raise trouble(verdict, stored, self._leader(), self._key)

    def _decoded(self, raw: Reply) -> SinkState | None:
        if raw is None:
            return None
        try:
            return SinkState.from_json(_document(raw))
        except (ValueError, TypeError) as error:
            hint = "run the release that wrote it, or remove the key and choose a start position"
            refused = SinkRefused(f"{self._key} holds no state that this release reads", hint=hint)
            refused.local = True  # another instance may be of the release that wrote it
            raise refused from error


def _encoded(state: SinkState) -> bytes:
    return orjson.dumps(state.to_json())


def _document(raw: bytes) -> dict[str, Any]:
    document = orjson.loads(raw)
    if not isinstance(document, dict):
        raise TypeError("not an object")
    return document


def _same(one: SinkState | None, other: SinkState | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.same_write(other)


def _moved_on(seen: SinkState | None, stored: SinkState) -> bool:
    """Whether ``stored`` is what leaders before us made of ``seen``, with nothing taken back."""
    if seen is None:
        return True
    return stored.seq >= seen.seq and (stored.epoch, stored.seq) > (seen.epoch, seen.seq)


def _epoch(announced: Reply) -> int:
    """Return the epoch announced; an absent or strange announcement is none."""
    return int(announced) if isinstance(announced, bytes) and announced.isdigit() else 0


def _text(key: bytes) -> str:
    return repr(key.decode(errors="backslashreplace"))
