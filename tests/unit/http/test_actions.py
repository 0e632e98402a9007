"""Switchover, pause and resume over HTTP."""

from collections.abc import Iterator

import orjson
import pytest

from hasync.errors import ConfigInvalid
from hasync.http.actions import BODY_MAX_BYTES
from hasync.model.cluster import IntentKind
from tests.unit.http.stage import STREAM, TOKEN, Bench, served

PATH = f"/api/streams/{STREAM}/pause"
GOOD = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


@pytest.fixture
def own() -> Iterator[Bench]:
    """A server of a test's own, since actions change the scene."""
    with served() as bench:
        yield bench


def test_switchover_makes_the_wish_that_the_command_makes(own: Bench) -> None:
    """The leader is asked to hand over to the next able standby, in its term."""
    answer = own.act("switchover", reason="new kernel")
    assert answer.status == 202
    assert (answer.json["from"], answer.json["to"], answer.json["epoch"], answer.json["asked"]) == ("a", "b", 2, True)
    intent = own.scene.ports.intents.get()
    assert intent is not None
    assert (intent.kind, intent.to, intent.epoch, intent.reason) == (IntentKind.SWITCHOVER, "b", 2, "new kernel")
    assert intent.by == "127.0.0.1 at server"


def test_switchover_to_who_leads_already_is_done(own: Bench) -> None:
    """Nothing is asked for, and nothing is wrong."""
    answer = own.act("switchover", to="a")
    assert (answer.status, answer.json["asked"]) == (200, False)
    assert own.scene.ports.intents.get() is None


def test_switchover_to_nobody_is_a_conflict_with_a_hint(own: Bench) -> None:
    """What the command would refuse is 409, with the same words."""
    answer = own.act("switchover", to="z")
    assert (answer.status, "z cannot lead" in answer.json["message"]) == (409, True)
    assert "b: could lead" in answer.json["hint"]


def test_pause_then_resume(own: Bench) -> None:
    """A pause keeps who and why and until when; resume takes it away and says what there was."""
    paused = own.act("pause", reason="new Redis", **{"for": "30m"})
    assert (paused.status, paused.json["outcome"]) == (202, "pause is asked for for 30m")
    intent = own.scene.ports.intents.get()
    assert intent is not None
    assert intent.until is not None
    assert (intent.pauses, intent.reason, round(intent.until - intent.at)) == (True, "new Redis", 1800)
    resumed = own.act("resume")
    assert resumed.status == 200
    assert resumed.json["outcome"] == "pause by 127.0.0.1 at server is withdrawn (its reason: new Redis)"
    assert own.act("resume").json["outcome"] == "was neither paused nor halted"


def test_every_action_is_in_the_log_without_the_token(own: Bench) -> None:
    """Who asked from where for what, and what became of it; refusals too."""
    own.act("pause", reason="x")
    own.act("pause", token="not-the-right-token")
    done, denied = own.logged("admin_action")
    assert (done["remote"], done["stream"], done["action"], done["status"]) == ("127.0.0.1", STREAM, "pause", 202)
    assert (denied["status"], denied["level"], denied["outcome"]) == (401, "warning", "this is not the token")
    assert TOKEN.encode() not in own.lines.getvalue()
    assert b"not-the-right-token" not in own.lines.getvalue()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 401),
        ({**GOOD, "Content-Type": "text/plain"}, b"{}", 415),
        ({"Authorization": GOOD["Authorization"]}, b"{}", 415),
        ({**GOOD, "Content-Type": "application/x-www-form-urlencoded"}, b"reason=x", 415),
        (GOOD, b"", 400),
        (GOOD, b"{", 400),
        (GOOD, b"[]", 400),
        (GOOD, b'{"reasn": "x"}', 400),
        (GOOD, b'{"reason": 7}', 400),
        (GOOD, b'{"reason": "two\\nlines"}', 400),
        (GOOD, b'{"for": "soon"}', 400),
        (GOOD, orjson.dumps({"reason": "x" * 600}), 400),
        (GOOD, b'{"reason": "' + b"x" * BODY_MAX_BYTES + b'"}', 413),
    ],
)
def test_request_that_is_not_right_does_nothing(
    bench: Bench, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Each fault has its own answer, and the stream is left alone."""
    answer = bench.ask(PATH, "POST", headers, body)
    assert (answer.status, bool(answer.json["message"])) == (status, True)
    assert bench.scene.ports.intents.get() is None


def test_cookie_opens_nothing(bench: Bench) -> None:
    """Another site's page can make a browser send cookies, but no Authorization header."""
    headers = {"Cookie": f"token={TOKEN}", "Content-Type": "application/json"}
    assert bench.ask(PATH, "POST", headers, b"{}").status == 401


def test_unknown_stream_and_action_are_404(bench: Bench) -> None:
    """A name in the path that is not there is told; what cannot be done is no path at all."""
    assert bench.act("pause", stream="nothing").json["error"] == "no_such_stream"
    assert bench.act("explode").status == 404
    assert bench.ask("/api/streams/a%2Fb/pause", "POST", GOOD, b"{}").status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_action_takes_nothing_but_post(bench: Bench, method: str) -> None:
    """A link or an image can do nothing."""
    answer = bench.ask(PATH, method, GOOD)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_actions_are_off_by_default() -> None:
    """Without the setting the port changes nothing, whatever token is shown."""
    with served(token=None) as bench:
        assert bench.act("pause").status == 403
        assert bench.ask("/api/cluster").json["actions"] is False
        assert bench.scene.ports.intents.get() is None


def test_short_token_keeps_the_port_shut() -> None:
    """An instance with a token that can be guessed does not start, and says what to do."""
    with pytest.raises(ConfigInvalid) as refused, served(token="short"):
        pass
    assert "HASYNC_HTTP__ADMIN_TOKEN" in refused.value.problems[0]


def test_zookeeper_away_is_503(own: Bench) -> None:
    """Nothing was done; the client is told when to come again."""
    own.scene.server.session.suspend()
    answer = own.act("pause")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
