"""What the demo shows, on a terminal and without one."""

import io

from rich.console import Console

from demo.fleet import Status
from demo.ledger import BinlogEnd
from demo.picture import Picture, Rate, Seat, SinkRows
from demo.screen import LiveScreen, PlainScreen, screen_for
from demo.statekey import State
from demo.workload import Tally

LEADER = Seat(member="alpha", pid=4711, status=Status(state="leader", epoch=1, lag_s=0.012, position="b.1:4", rows=90))
STANDBY = Seat(member="beta", pid=4712, status=Status(state="standby"))


def picture(elapsed_s: float, *seats: Seat) -> Picture:
    """Return a moment in mid-workload."""
    return Picture(
        elapsed_s=elapsed_s,
        phase="working",
        servers=(("mariadb", "127.0.0.1:3306"),),
        source="mariadb",
        seats=seats,
        state=State(epoch=1, seq=17, reached=BinlogEnd(1, 4)),
        tally=Tally(transactions=30, rolled_back=2, rows=100),
        source_rows_per_s=50,
        sink_rows=90,
        sink_rows_per_s=45,
    )


def test_plain_screen_writes_one_line_a_second_and_every_event() -> None:
    """A log file stays short, and loses no event."""
    out = io.StringIO()
    with PlainScreen(out) as screen:
        for elapsed_s in (1.0, 1.3, 1.9, 2.1):
            screen.show(picture(elapsed_s, LEADER, STANDBY))
        screen.tell(2.15, "SIGKILL alpha")
    moment = (
        "working | alpha=leader beta=standby | epoch 1 batch 17 lag 0.012s | mariadb 100 rows 50/s | redis 90 rows 45/s"
    )
    assert out.getvalue().splitlines() == [f"[  1.0s] {moment}", f"[  2.1s] {moment}", "[  2.1s] * SIGKILL alpha"]


def test_live_screen_shows_who_leads_and_the_events() -> None:
    """Everything the drill is about is on one picture."""
    out = io.StringIO()
    with LiveScreen(Console(file=out, width=110, force_terminal=True, color_system=None)) as screen:
        screen.show(picture(3.0, LEADER, STANDBY))
        screen.tell(3.2, "SIGKILL alpha")
    text = out.getvalue()
    for part in ("alpha", "4711", "leader", "standby", "epoch 1 batch 17", "0.012", "SIGKILL alpha", "127.0.0.1:3306"):
        assert part in text


def test_stream_that_is_no_terminal_gets_plain_lines() -> None:
    """Control sequences in a log help nobody."""
    assert isinstance(screen_for(io.StringIO()), PlainScreen)


def test_rate_is_the_mean_of_a_sliding_window() -> None:
    """Old samples leave the window, so a gap shows."""
    rate = Rate()
    assert rate.of(0.0, 0) == 0.0
    assert rate.of(1.0, 100) == 100.0
    assert rate.of(10.0, 100) == 0.0


def test_rows_of_a_dead_instance_still_count() -> None:
    """The total must not fall when the leader is killed."""
    rows = SinkRows()
    assert rows.of((LEADER, STANDBY)) == 90
    dead = Seat(member="alpha", pid=4711, status=Status(state="starting"))
    heir = Seat(member="beta", pid=4712, status=Status(state="leader", rows=5))
    assert rows.of((dead, heir)) == 95
    again = Seat(member="alpha", pid=4711, status=Status(state="standby", rows=0))
    assert rows.of((again, heir)) == 95
