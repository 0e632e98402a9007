"""The three kinds of trouble hasync knows, and nothing else.

``Retryable``  waiting may heal it; the one retry owner (:mod:`hasync.retry`) repeats it.
``Fatal``      only a human can heal it; the stream halts and says how.
``TermEnded``  no error at all: the signal that this instance leads no longer.

Adapters map foreign exceptions to these at their edge (``raise ... from``), so that
nobody above an adapter ever catches a driver's exception.
"""

from enum import StrEnum


class HasyncError(Exception):
    """Root of all errors that hasync raises on purpose.

    ``code`` is a short machine name, stable across releases, safe as a metric label.
    ``hint`` tells the operator what to do; it may be empty. Messages never hold row
    values or secrets (invariant I12). ``local`` is set by whoever raises an error that
    may be this instance's own fault (its credentials, its files): another may do better.
    """

    code = "error"
    local = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the message and the operator's hint."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Message and hint in one line, for logs and terminals."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Retryable(HasyncError):  # noqa: N818 - the kind is the name
    """Waiting may heal it; nothing is known to be lost."""

    code = "retryable"


class SourceUnavailable(Retryable):
    """MySQL or MariaDB cannot be reached, or closed the dump."""

    code = "source_unavailable"


class SinkUnavailable(Retryable):
    """Redis cannot be reached or refuses all writes for now; the outcome of a batch in flight is unknown."""

    code = "sink_unavailable"


class CoordinationUnavailable(Retryable):
    """ZooKeeper did not answer in time; the outcome of a write is unknown."""

    code = "coordination_unavailable"


class SecretGone(Retryable):
    """A password that worked cannot be read now: its file is being replaced."""

    code = "secret_gone"


class Fatal(HasyncError):  # noqa: N818 - the kind is the name
    """No instance can go on without a human; the stream halts loudly."""

    code = "fatal"


class ConfigInvalid(Fatal):
    """A config document or a setting is wrong.

    ``problems`` holds one line per fault, each naming path, value and remedy.
    """

    code = "config_invalid"

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), hint: str = "") -> None:
        """Keep all problems found, not only the first."""
        super().__init__(message, hint=hint)
        self.problems = problems


class SourceRefused(Fatal):
    """The source's settings, grants or an event would lose or corrupt rows, so they are not read."""

    code = "source_refused"


class PositionLost(Fatal):
    """The position to resume at is not available or cannot be proven on this server."""

    code = "position_lost"


class SinkRefused(Fatal):
    """Redis refused a command for itself (WRONGTYPE, NOPERM, ...), so waiting will not help."""

    code = "sink_refused"


class StateMissing(Fatal):
    """The state key is gone though this stream has written it: Redis was flushed or is another database."""

    code = "state_missing"


class HandlerFailed(Fatal):
    """A handler raised, or returned something that is not a list of allowed commands."""

    code = "handler_failed"


class CoordinationRefused(Fatal):
    """ZooKeeper refuses this instance (authentication, ACL), or holds a payload of a newer release."""

    code = "coordination_refused"
    local = True


class Regressed(HasyncError):  # noqa: N818 - a signal: the stream rewinds
    """Redis lost acknowledged writes: its state is older than the one this leader wrote.

    ``state`` is what Redis has now (:class:`hasync.model.state.SinkState`); the stream
    rewinds to it. Raised by a sink, handled by the term, never retried.
    """

    code = "regressed"

    def __init__(self, message: str, *, state: object, hint: str = "") -> None:
        """Keep the state to rewind to."""
        super().__init__(message, hint=hint)
        self.state = state


class EndReason(StrEnum):
    """Why a term ended; written to the term's record and to the metric's label."""

    FENCED = "fenced"
    SESSION_LOST = "session_lost"
    LOCK_LOST = "lock_lost"
    DEADLINE = "deadline"
    SHUTDOWN = "shutdown"
    HANDOVER = "handover"
    SOURCE_CLAIMED = "source_claimed"
    LOCAL_FAULT = "local_fault"
    REGRESSED = "regressed"
    CONFIG = "config"
    PAUSED = "paused"
    HALTED = "halted"


class TermEnded(HasyncError):  # noqa: N818 - a signal, not an error
    """This instance leads no longer. Never retried, never logged as an error."""

    code = "term_ended"

    def __init__(self, reason: EndReason, message: str = "") -> None:
        """Keep the reason; the message defaults to it."""
        super().__init__(message or f"term ended: {reason.value}")
        self.reason = reason
