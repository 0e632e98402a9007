"""Leaders are spread evenly, a move at a time, and moves come to an end."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.model.member import Eligibility, Member, StreamStatus
from hasync.model.placement import Move, at_rest, better, eligibility, leads, next_move

LEADER, STANDBY = StreamStatus(role="leader", able=True), StreamStatus(role="standby", able=True)
Table = tuple[Member, ...]


def table(led: dict[str, int], *, weights: dict[str, int] | None = None) -> Table:
    """Return members that lead so many streams each, and stand by for all others."""
    owners = [member for member, count in led.items() for _ in range(count)]
    return tuple(
        Member(
            id=member,
            instance=member,
            weight=(weights or {}).get(member, 1),
            streams={f"s{n:03d}": LEADER if owner == member else STANDBY for n, owner in enumerate(owners)},
        )
        for member in led
    )


def having(members: Table, member: str, stream: str, **changes: object) -> Table:
    """Return the table with one status changed."""
    return tuple(
        replace(each, streams={**each.streams, stream: replace(each.streams[stream], **changes)})  # type: ignore[arg-type]
        if each.id == member
        else each
        for each in members
    )


def carried_out(members: Table, move: Move) -> Table:
    """Return the table after a move."""
    epoch = 1 + max(member.streams[move.stream].epoch for member in members if move.stream in member.streams)
    members = having(members, move.origin, move.stream, role="standby")
    return having(members, move.target, move.stream, role="leader", epoch=epoch)


def run_down(members: Table, settled: set[str] | None = None) -> tuple[Table, list[Move]]:
    """Carry out move after move until there is none."""
    moves: list[Move] = []
    settled = {member.id for member in members} if settled is None else settled
    while move := next_move(members, settled):
        moves.append(move)
        members = carried_out(members, move)
        assert len(moves) < 1000
    return members, moves


def spread(members: Table) -> dict[str, int]:
    return {member.id: leads(member) for member in members}


@pytest.mark.parametrize(
    ("led", "weights", "after", "moves"),
    [
        pytest.param({"a": 40, "b": 0, "c": 0}, {}, {"a": 14, "b": 13, "c": 13}, 26, id="all on one"),
        pytest.param({"a": 20, "b": 20, "c": 0}, {}, {"a": 13, "b": 14, "c": 13}, 13, id="one returns"),
        pytest.param({"a": 2, "b": 1, "c": 1}, {}, {"a": 2, "b": 1, "c": 1}, 0, id="as even as it gets"),
        pytest.param({"a": 1, "b": 0}, {}, {"a": 1, "b": 0}, 0, id="one stream stays where it is"),
        pytest.param({"a": 9, "b": 0, "c": 0}, {"a": 2}, {"a": 5, "b": 2, "c": 2}, 4, id="twice the weight"),
        pytest.param({"a": 3, "b": 0}, {"a": 0}, {"a": 0, "b": 3}, 3, id="a weight of 0 is left nothing"),
        pytest.param({"a": 3, "b": 0}, {"b": 0}, {"a": 3, "b": 0}, 0, id="a weight of 0 is given nothing"),
    ],
)
def test_streams_are_spread_with_as_few_moves_as_it_takes(
    led: dict[str, int], weights: dict[str, int], after: dict[str, int], moves: int
) -> None:
    """13 or 14 of 40 each; nothing moves that need not."""
    found, made = run_down(table(led, weights=weights))
    assert (spread(found), len(made)) == (after, moves)


def test_instance_that_just_came_is_given_nothing() -> None:
    """One that comes and goes would cause a hand-over and a takeover each time."""
    assert next_move(table({"a": 9, "b": 0}), {"a"}) is None


def test_nothing_moves_while_a_leadership_is_on_its_way() -> None:
    """One at a time: a hand-over under way, a stream about to be won, and two leaders in an old picture all count."""
    members = table({"a": 9, "b": 0})
    assert at_rest(members)
    for role in ("draining", "standby"):
        assert not at_rest(having(members, "a", "s000", role=role))
    assert not at_rest(having(members, "b", "s000", role="leader"))
    assert next_move(having(members, "a", "s000", role="draining"), {"a", "b"}) is None


def test_halted_stream_does_not_hold_up_the_others() -> None:
    """Nobody leads it, and nobody is about to."""
    members = table({"a": 9, "b": 0})
    for member in ("a", "b"):
        members = having(members, member, "s000", role="halted")
    assert spread(run_down(members)[0]) == {"a": 4, "b": 4}


@pytest.mark.parametrize("change", [{"able": False}, {"role": "unfit"}, {"eligibility": Eligibility.RESERVE}])
def test_only_who_can_and_should_lead_is_given_a_stream(change: dict[str, object]) -> None:
    """A preflight that fails, or a config that avoids the instance, keeps the stream where it is."""
    members = having(table({"a": 2, "b": 0}), "b", "s000", **change)
    move = next_move(members, {"a", "b"})
    assert move is not None
    assert move.stream == "s001"


def test_stream_led_by_a_reserve_goes_to_who_is_meant_to_lead_it() -> None:
    """Even from the least loaded instance to the most loaded one."""
    members = having(table({"a": 3, "b": 1}), "b", "s003", eligibility=Eligibility.RESERVE)
    assert next_move(members, {"a", "b"}) == Move(
        stream="s003", origin="b", target="a", reason="b is only a reserve for it"
    )


def test_stream_with_the_fewest_terms_is_moved_first() -> None:
    """Else one stream would be sent round again and again."""
    members = having(table({"a": 3, "b": 0}), "a", "s000", epoch=5)
    move = next_move(members, {"a", "b"})
    assert move is not None
    assert move.stream == "s001"


@given(
    led=st.lists(st.integers(0, 15), min_size=1, max_size=5),
    weights=st.lists(st.integers(0, 4), min_size=5, max_size=5),
    bars=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=20),
)
def test_moves_always_come_to_an_end(led: list[int], weights: list[int], bars: set[tuple[int, int]]) -> None:
    """Whatever weights and placements: no stream goes round, and nobody barred is given one."""
    names = "abcde"
    members = table(dict(zip(names, led, strict=False)), weights=dict(zip(names, weights, strict=True)))
    barred = {(names[at], f"s{n:03d}") for at, n in bars}
    for member, stream in barred:
        if any(each.id == member and stream in each.streams for each in members):
            members = having(members, member, stream, eligibility=Eligibility.BARRED)
    _, moves = run_down(members)
    assert not {(move.target, move.stream) for move in moves} & barred
    assert max(Counter(move.stream for move in moves).values(), default=0) <= 2


@pytest.mark.parametrize(
    ("weight", "pin", "avoid", "expected"),
    [
        (1, (), (), Eligibility.PREFERRED),
        (0, (), (), Eligibility.RESERVE),
        (1, ("zone-a-*",), (), Eligibility.PREFERRED),
        (1, ("zone-b-?",), (), Eligibility.BARRED),
        (1, ("zone-*",), ("zone-a-1",), Eligibility.RESERVE),
        (0, ("other",), ("zone-a-1",), Eligibility.BARRED),
    ],
)
def test_pin_bars_all_others_and_avoid_makes_a_reserve(
    weight: int, pin: tuple[str, ...], avoid: tuple[str, ...], expected: Eligibility
) -> None:
    """Names and patterns of names."""
    assert eligibility("zone-a-1", weight=weight, pin=pin, avoid=avoid) is expected


def test_reserve_and_unfit_give_way_to_who_is_better() -> None:
    """Only to a contender: whoever is not in the queue would not come to lead."""
    members = table({"a": 1, "b": 0, "c": 0})
    reserve, unfit = replace(STANDBY, eligibility=Eligibility.RESERVE), replace(STANDBY, role="unfit", able=False)
    assert better(reserve, "s000", {"b"}, members) == "b"
    assert better(unfit, "s000", {"c"}, members) == "c"
    assert better(STANDBY, "s000", {"b"}, members) == ""
    assert better(reserve, "s000", (), members) == ""
    members = having(members, "b", "s000", eligibility=Eligibility.RESERVE)
    assert better(reserve, "s000", {"b"}, members) == ""
    assert better(unfit, "s000", {"b"}, members) == "b"
    assert better(unfit, "s000", {"b"}, having(members, "b", "s000", able=False)) == ""
