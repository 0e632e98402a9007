"""Maps kazoo's exceptions to hasync's at the edge, so that nobody above ever sees one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    InvalidACLError,
    KazooException,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    OperationTimeoutError,
    QuotaExceededError,
    RequestTimeoutError,
    RolledBackError,
    RuntimeInconsistency,
    SessionClosedRequireSaslError,
    SessionExpiredError,
    SessionMovedError,
    ThrottledOpError,
)

from hasync.errors import CoordinationRefused, CoordinationUnavailable
from hasync.tls import diagnosis

ANSWERS: Final = (NoNodeError, NodeExistsError, BadVersionError, NotEmptyError)
"""Answers about the tree, not failures: the stores decide what they mean."""

UNAVAILABLE: Final = (
    ConnectionLoss,
    OperationTimeoutError,
    RequestTimeoutError,
    SessionExpiredError,
    ConnectionClosedError,
    SessionMovedError,
    ThrottledOpError,
)

ACCESS: Final = (NoAuthError, AuthFailedError, InvalidACLError, SessionClosedRequireSaslError)


class MultiFailed(KazooException):  # type: ignore[misc]  # kazoo has no types
    """A multi was rolled back: operation number ``index`` failed with ``error``; nothing was written (K8)."""

    def __init__(self, index: int, error: Exception) -> None:
        """Keep which operation failed and how."""
        super().__init__(f"operation {index} failed: {type(error).__name__}")
        self.index = index
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectFailure:
    """Why a server was not connected to, and what to do about it where that is known."""

    reason: str = ""
    remedy: str = ""

    @property
    def advice(self) -> str:
        """The remedy as the end of a message."""
        return f"; {self.remedy}" if self.remedy else ""


NO_FAILURE: Final = ConnectFailure()


def connect_failure(server: str, failure: Exception) -> ConnectFailure:
    """Say what kazoo's failure to connect to ``server`` means."""
    if found := diagnosis(failure):
        remedy = found.remedy.replace("tls.", "zookeeper.tls.")
        return ConnectFailure(reason=f"{server} is not trusted: {found.reason}", remedy=remedy)
    return ConnectFailure(reason=f"{server}: {str(failure) or type(failure).__name__}")


def silence_remedy(hosts: Iterable[str], *, encrypted: bool) -> str:
    """Say what to look at when no server answers and none says why: one that wants TLS hangs up on clients without."""
    speech = "for TLS, as zookeeper.tls asks" if encrypted else "without TLS, since zookeeper.tls.ca is not set"
    return (
        f"tried {', '.join(hosts)}: check that these are ZooKeeper's client ports ({speech}), "
        "that their names resolve, and that this machine may reach them"
    )


def outcome(error: BaseException | None) -> str:
    """Return a metric label: ``ok`` (also for "there is no such node"), ``conflict``, or the failure's name."""
    if error is None or isinstance(error, NoNodeError | NodeExistsError):
        return "ok"
    return "conflict" if isinstance(error, BadVersionError) else type(error).__name__


def inspected(results: list[object]) -> list[object]:
    """Return a multi's results. Raises MultiFailed for its true cause (K8: commit() itself does not raise)."""
    failures = [(index, result) for index, result in enumerate(results) if isinstance(result, Exception)]
    if not failures:
        return results
    for index, error in failures:
        if not isinstance(error, RolledBackError | RuntimeInconsistency):
            raise MultiFailed(index, error)
    raise MultiFailed(*failures[0])


def refused(operation: str, error: Exception) -> CoordinationRefused:
    """Return the error for one of :data:`ACCESS`."""
    return CoordinationRefused(
        f"ZooKeeper refused {operation}: {type(error).__name__}",
        hint="check this instance's ZooKeeper identity and the ACL of the root znode",
    )


@contextmanager
def mapped(operation: str, *, why: str = "") -> Iterator[None]:
    """Map the failures of one request; answers about the tree and MultiFailed pass through.

    ``why``: what is known about the connection, for the message. Raises
    CoordinationUnavailable, CoordinationRefused.
    """
    try:
        yield
    except ANSWERS:
        raise
    except MultiFailed as failed:
        if isinstance(failed.error, ANSWERS):
            raise
        with mapped(operation, why=why):
            raise failed.error from failed
    except UNAVAILABLE as error:
        raise CoordinationUnavailable(
            f"ZooKeeper did not answer {operation}: {type(error).__name__}{why}",
        ) from error
    except ACCESS as error:
        raise refused(operation, error) from error
    except QuotaExceededError as error:
        raise CoordinationRefused(
            f"ZooKeeper refused {operation}: its quota is used up", hint="raise the quota of the root znode"
        ) from error
    except KazooException as error:
        raise CoordinationRefused(
            f"ZooKeeper answered {operation} with {type(error).__name__}, which is not understood"
        ) from error
