"""What the demo understands of an instance's own words, and what it gives an instance to start with."""

import pytest

from demo.fleet import Place, Status, rows_of

METRICS = """# HELP hasync_sink_rows_total Row changes applied.
# TYPE hasync_sink_rows_total counter
hasync_sink_rows_total{stream="demo",table="test.users"} 40.0
hasync_sink_rows_total{stream="demo",table="test.orders"} 2.0
hasync_sink_rows_total_other 7.0
"""


def test_status_is_read_from_the_documents_of_a_leader() -> None:
    """State, epoch, lag and position are those of the demo's stream."""
    stream = {"state": "leader", "epoch": 2, "lag_seconds": 0.5, "position": {"file": "bin.000002", "pos": 99}}
    status = Status.of({"member": "beta", "streams": {"demo": stream}}, METRICS)
    assert status == Status(state="leader", epoch=2, lag_s=0.5, position="bin.000002:99", rows=42)
    assert status.leads


@pytest.mark.parametrize("document", [{}, {"streams": None}, {"streams": {}}, {"streams": {"demo": {}}}])
def test_fields_that_are_missing_are_shown_as_unknown(document: dict[str, object]) -> None:
    """An instance that has just started has little to say."""
    assert Status.of(document, "") == Status(state="starting")


def test_metrics_without_the_rows_metric_say_nothing() -> None:
    """Unknown is not zero."""
    assert rows_of("# nothing here\n") is None


def test_stream_config_names_the_servers_and_holds_no_secret() -> None:
    """ZooKeeper gets a reference to the password (I12)."""
    place = Place(zookeeper="127.0.0.1:1", source_port=3307, redis_port=6380, source_password="t0p-secret")
    config = place.stream_config()
    assert '"127.0.0.1:3307"' in config
    assert "redis://127.0.0.1:6380/0" in config
    assert "t0p-secret" not in config
    assert "$" not in config


def test_environment_of_an_instance_is_free_of_the_callers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A HASYNC_ variable of the user's shell must not bend the demo."""
    monkeypatch.setenv("HASYNC_STREAMS", "production")
    monkeypatch.setenv("HASYNC_READ_ONLY", "1")
    place = Place(zookeeper="127.0.0.1:1", source_port=1, redis_port=2, source_password="p")
    environment = place.environment()
    assert environment["HASYNC_STREAMS"] == "demo"
    assert "HASYNC_READ_ONLY" not in environment
