"""What the ZooKeeper adapter decides without a server: names, limits, identities, failures."""

from dataclasses import replace

import orjson
import pytest
from kazoo.exceptions import (
    APIError,
    AuthFailedError,
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    InvalidACLError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    OperationTimeoutError,
    QuotaExceededError,
    RolledBackError,
    RuntimeInconsistency,
    SessionExpiredError,
)
from kazoo.security import ACL, CREATOR_ALL_ACL, Id

from hasync.clock import SystemClock
from hasync.cluster.access import Auth, Grant, Tls, connection_options, default_acl
from hasync.cluster.client import PromptClient
from hasync.cluster.failures import MultiFailed, inspected, mapped, outcome
from hasync.cluster.payloads import MAX_BYTES, decode, encode
from hasync.cluster.positions import refuse_regress
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.errors import ConfigInvalid, CoordinationRefused, CoordinationUnavailable
from hasync.model.cluster import EpochRecord, SessionCredential
from hasync.model.position import Flavor, Position
from hasync.model.state import Acknowledged

# --------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "-a", "a b", "x" * 64, "ö", "a\n"])
def test_name_that_cannot_be_a_znode_is_refused(name: str) -> None:
    """A stream or member name can neither leave its folder nor break a path."""
    with pytest.raises(ConfigInvalid):
        Znodes("/hasync").stream(name)
    with pytest.raises(ConfigInvalid):
        Znodes("/hasync").member(name)


@pytest.mark.parametrize("root", ["", "hasync", "/hasync/", "//hasync", "/"])
def test_root_that_is_no_path_is_refused(root: str) -> None:
    """The root is absolute and has no slash at its end."""
    with pytest.raises(ConfigInvalid):
        Znodes(root)


# ------------------------------------------------------------------------------ payloads


@pytest.mark.parametrize("kind", sorted(MAX_BYTES))
def test_payload_over_its_limit_is_refused_before_it_is_sent(kind: str) -> None:
    """A server would drop the connection, again and again, of who sends too much."""
    frame = len(orjson.dumps({"x": ""}))
    assert len(encode({"x": "y" * (MAX_BYTES[kind] - frame)}, kind)) == MAX_BYTES[kind]
    with pytest.raises(CoordinationRefused) as caught:
        encode({"x": "y" * (MAX_BYTES[kind] - frame + 1)}, kind)
    assert kind in caught.value.message


def test_two_configs_fit_into_one_packet() -> None:
    """A put writes the config twice in one multi, within ZooKeeper's 1 MiB."""
    assert MAX_BYTES["config"] + MAX_BYTES["config_revision"] < 1024 * 1024


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"\xff", b'{"v": 2}', b'{"v": 1}', b'{"v":1,"epoch":"x"}'])
def test_payload_that_is_not_understood_is_refused_with_its_path(data: bytes) -> None:
    """What was written by hand or by a newer release stops loudly."""
    with pytest.raises(CoordinationRefused) as caught:
        decode(data, "/hasync/streams/orders/epoch", EpochRecord.from_json)
    assert "/hasync/streams/orders/epoch" in caught.value.message


# ------------------------------------------------------------------------------ identity


def test_identity_closes_what_is_created() -> None:
    """With an identity, nodes belong to it; without one they are the world's; grants replace both."""
    digest = Auth(scheme="digest", credential="u:p")
    assert default_acl(None, None, ()) is None
    assert default_acl(None, Tls(ca="ca.pem"), ()) is None
    assert [entry.id.id.partition(":")[0] for entry in default_acl(digest, None, ()) or ()] == ["u"]
    assert default_acl(None, Tls(ca="ca.pem", cert="c.pem", key="k.pem"), ()) == CREATOR_ALL_ACL
    grants = (Grant(scheme="x509", identity="CN=hasync"), Grant(scheme="x509", identity="CN=viewer", rights="r"))
    assert default_acl(digest, None, grants) == [ACL(31, Id("x509", "CN=hasync")), ACL(1, Id("x509", "CN=viewer"))]


@pytest.mark.parametrize("rights", ["", "x", "rwx"])
def test_unknown_right_is_refused(rights: str) -> None:
    """An ACL is made of zkCli's letters."""
    with pytest.raises(ConfigInvalid):
        Grant(scheme="world", identity="anyone", rights=rights).to_acl()


def test_tls_files_that_cannot_be_used_are_refused_at_once() -> None:
    """Kazoo would try for ever; a certificate needs its key."""
    with pytest.raises(ConfigInvalid) as caught:
        connection_options(None, Tls(ca="/nowhere/ca.pem"))
    assert "/nowhere/ca.pem" in caught.value.message
    with pytest.raises(ConfigInvalid):
        connection_options(None, Tls(ca="ca.pem", cert="c.pem"))


@pytest.mark.parametrize("text", ["", "hasync", ":secret", "hasync:", "hasync:one\ntwo"])
def test_identity_that_is_none_is_refused_without_showing_it(text: str) -> None:
    """An identity is user and password; what was read instead may be a secret all the same."""
    with pytest.raises(ConfigInvalid) as caught:
        connection_options(Auth(scheme="digest", credential=text), None)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """Neither a credential nor a session's password appears in a repr (I12)."""
    shown = repr((Auth(scheme="digest", credential="u:secret"), SessionCredential(session_id=7, password=b"secret")))
    assert "secret" not in shown


# -------------------------------------------------------------------------------- client


def client() -> PromptClient:
    """Return a client that is not started."""
    return PromptClient(
        hosts="127.0.0.1:1",
        timeout=4,
        patience_s=1,
        clock=SystemClock(),
        on_session=lambda *_: None,
        on_failure=lambda *_: None,
    )


def test_k9_reconnects_for_ever_and_at_most_a_second_apart() -> None:
    """Kazoo's own back-off grows to an hour, so that an outage would last twice as long (K9, K10)."""
    retry = client()._conn_retry
    assert (retry.max_tries, retry.max_delay) == (-1, 1.0)
    assert client()._connection.retry_sleeper.max_delay == 1.0


def test_k14_read_only_servers_are_not_used() -> None:
    """A contender on a read-only server would see an old tree as if it were connected."""
    assert not client().read_only


def test_ensemble_that_hangs_up_is_asked_for_its_tls_port() -> None:
    """A port that wants TLS says nothing to who comes without."""
    session = ZooKeeperSession(hosts=["127.0.0.1:1"], clock=SystemClock())
    with pytest.raises(CoordinationUnavailable) as silent:
        session.await_connected(0)
    assert "zookeeper.tls.ca is not set" in silent.value.hint


def test_session_that_was_never_started_refuses_and_stops() -> None:
    """Nothing hangs on a session that is not there."""
    session = ZooKeeperSession(hosts=["127.0.0.1:1"], clock=SystemClock())
    with pytest.raises(CoordinationUnavailable):
        session.call("get", lambda kazoo: kazoo.get_async("/"))
    assert not session.connected
    assert not session.confirmed
    assert session.credential is None
    assert session.session_id == 0
    assert session.stop(5)


# ------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("failure", "meaning"),
    [
        (ConnectionLoss(), CoordinationUnavailable),
        (OperationTimeoutError(), CoordinationUnavailable),
        (SessionExpiredError(), CoordinationUnavailable),
        (ConnectionClosedError(), CoordinationUnavailable),
        (NoAuthError(), CoordinationRefused),
        (AuthFailedError(), CoordinationRefused),
        (InvalidACLError(), CoordinationRefused),
        (QuotaExceededError(), CoordinationRefused),
        (APIError(), CoordinationRefused),
        (NoNodeError(), NoNodeError),
        (NodeExistsError(), NodeExistsError),
        (BadVersionError(), BadVersionError),
        (MultiFailed(1, BadVersionError()), MultiFailed),
        (MultiFailed(1, NoAuthError()), CoordinationRefused),
        (MultiFailed(1, SessionExpiredError()), CoordinationUnavailable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_failure_of_kazoo_becomes_one_of_ours(failure: Exception, meaning: type[Exception]) -> None:
    """Waiting, giving up, or an answer about the tree: there is no fourth, and no foreign exception gets out."""
    with pytest.raises(meaning), mapped("test"):
        raise failure


def test_k8_true_cause_of_a_failed_multi_is_found() -> None:
    """The operations before and after the culprit fail too, by name only."""
    with pytest.raises(MultiFailed) as caught:
        inspected([RolledBackError(), BadVersionError(), RuntimeInconsistency()])
    assert caught.value.index == 1
    assert isinstance(caught.value.error, BadVersionError)
    assert inspected([True, "/path"]) == [True, "/path"]
    with pytest.raises(MultiFailed):
        inspected([RolledBackError()])


def test_outcomes_are_few_and_honest() -> None:
    """An answer is no failure; a lost race and a lost connection are told apart."""
    found = [outcome(error) for error in (None, NoNodeError(), BadVersionError(), ConnectionLoss())]
    assert found == ["ok", "ok", "conflict", "ConnectionLoss"]


# ------------------------------------------------------------------------------- regress


def test_same_position_again_is_no_regress() -> None:
    """Saving what is there already is allowed: it is what a repeated save does."""
    place = Position(flavor=Flavor.MYSQL, server_uuid="1", file="b.000002", pos=4)
    now = Acknowledged(epoch=2, seq=5, position=place)
    refuse_regress(None, now)
    refuse_regress(now, now)
    refuse_regress(now, replace(now, acknowledged_at=9.0))
    with pytest.raises(CoordinationRefused):
        refuse_regress(now, replace(now, position=replace(place, file="b.000001", pos=900)))
