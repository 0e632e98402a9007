"""What each kind of rule does with each kind of change, NULLs and moving keys included."""

import pytest

from hasync.errors import ConfigInvalid, Fatal
from hasync.model.change import Kind, Operation, RowChanges
from hasync.stream.plan import TablePlan, project
from tests.unit.stream.rows import Stream, commands, config, deleted, table, writes

LAYOUT = table("app.t", "id", "a", "b", "c")
ROW = {"id": 1, "a": "x", "b": "y", "c": "z"}


def one(rule: str) -> Stream:
    return Stream(f"  app.t:\n    - {rule}\n", LAYOUT)


def several(*rules: str) -> Stream:
    return Stream("  app.t:\n" + "".join(f"    - {rule}\n" for rule in rules), LAYOUT)


def plan_of(stream: Stream) -> TablePlan:
    plan = stream.rules.select(stream.layout)
    assert plan is not None
    return plan


# ------------------------------------------------------------------------------- set


def test_set_follows_its_row() -> None:
    """Insert and update write, delete deletes."""
    stream = one('{set: {key: "k:{id}", value: "{a}-{b}"}}')
    assert commands(stream.insert(ROW)) == [(b"SET", b"k:1", b"x-y")]
    assert commands(stream.update((ROW, {**ROW, "a": "q"}))) == [(b"SET", b"k:1", b"q-y")]
    assert commands(stream.delete(ROW)) == [(b"UNLINK", b"k:1")]


def test_set_with_ttl_expires() -> None:
    """The lifetime goes with the SET."""
    stream = one('{set: {key: "k:{id}", value: "{a}"}, ttl: 1500ms}')
    assert commands(stream.insert(ROW)) == [(b"SET", b"k:1", b"x", b"PX", b"1500")]


def test_changed_key_moves_the_value() -> None:
    """The old key is deleted in the same batch that writes the new one."""
    stream = one('{set: {key: "k:{id}", value: "{a}"}}')
    assert commands(stream.update((ROW, {**ROW, "id": 2}))) == [(b"UNLINK", b"k:1"), (b"SET", b"k:2", b"x")]


def test_keys_shifted_in_one_statement_keep_all_rows() -> None:
    """UPDATE ... SET id = id + 1 ORDER BY id DESC: a key left by one row is taken by the next."""
    stream = one('{set: {key: "k:{id}", value: "{a}"}}')
    rows = [{**ROW, "id": number, "a": f"v{number}"} for number in (3, 2, 1)]
    change = stream.update(*((row, {**row, "id": row["id"] + 1}) for row in rows))  # type: ignore[operator]
    assert sorted(commands(change)) == [
        (b"SET", b"k:2", b"v1"),
        (b"SET", b"k:3", b"v2"),
        (b"SET", b"k:4", b"v3"),
        (b"UNLINK", b"k:1"),
    ]


def test_null_in_value_deletes_the_key() -> None:
    """There is no value to show, so nothing stale may stay."""
    stream = one('{set: {key: "k:{id}", value: "{a}"}}')
    assert commands(stream.update((ROW, {**ROW, "a": None}))) == [(b"UNLINK", b"k:1")]
    assert writes(stream.insert({**ROW, "a": None})).skipped == {}


def test_null_in_key_writes_nothing_and_is_counted() -> None:
    """A row without a key is skipped; on the way there its old key goes."""
    stream = one('{set: {key: "k:{a}", value: "{b}"}}')
    hidden = {**ROW, "a": None}
    assert commands(stream.insert(hidden)) == []
    assert commands(stream.delete(hidden)) == []
    assert commands(stream.update((ROW, hidden))) == [(b"UNLINK", b"k:x")]
    assert commands(stream.update((hidden, ROW))) == [(b"SET", b"k:x", b"y")]
    assert writes(stream.insert(ROW, hidden), stream.update((ROW, hidden))).skipped == {"null_key": 2}


def test_set_reads_old_image_where_there_is_one() -> None:
    """{old.x} in a value of a rule that leaves inserts out."""
    stream = one('{on: [update], set: {key: "k:{id}", value: "{old.a}>{new.a}>{b}"}}')
    assert commands(stream.update((ROW, {**ROW, "a": "q"}))) == [(b"SET", b"k:1", b"x>q>y")]


def test_operations_outside_on_write_nothing_and_decode_nothing() -> None:
    """A rule about inserts needs no before image at all."""
    stream = one('{on: [insert], set: {key: "k:{id}", value: "{a}"}}')
    assert (plan_of(stream).before, plan_of(stream).after) == ((), (0, 1))
    assert commands(stream.update((ROW, {**ROW, "a": "q"})), stream.delete(ROW)) == []


def test_set_on_delete_only_deletes() -> None:
    """The key goes with the row, whatever else wrote it."""
    stream = one('{on: [delete], set: {key: "k:{id}", value: "{a}"}}')
    assert (plan_of(stream).before, plan_of(stream).after) == ((0,), ())
    assert commands(stream.delete(ROW)) == [(b"UNLINK", b"k:1")]


# ---------------------------------------------------------------------- when_changed


@pytest.mark.parametrize(
    ("change", "runs"),
    [({"c": "new"}, False), ({"a": "new"}, True), ({"id": 2}, True), ({"b": "new"}, False)],
)
def test_when_changed_admits_updates_of_its_columns_and_of_the_key(change: dict[str, object], *, runs: bool) -> None:
    """Column a is listed, id is in the key; b is only in the value and c nowhere."""
    stream = one('{when_changed: [a], set: {key: "k:{id}", value: "{b}"}}')
    assert bool(commands(stream.update((ROW, {**ROW, **change})))) is runs
    assert commands(stream.insert(ROW)) == [(b"SET", b"k:1", b"y")]


def test_change_to_and_from_null_counts_as_change() -> None:
    """NULL is a value like another here."""
    stream = one('{on: [update], when_changed: [a], delete: ["k:{id}"]}')
    hidden = {**ROW, "a": None}
    assert deleted(stream.update((ROW, hidden))) == {b"k:1"}
    assert deleted(stream.update((hidden, ROW))) == {b"k:1"}
    assert deleted(stream.update((hidden, hidden))) == set()


# ------------------------------------------------------------------------------ hash


def test_hash_writes_fields_and_removes_null_ones() -> None:
    """Fields of NULL columns are removed, so the hash never shows what the row no longer has."""
    stream = one('{hash: {key: "h:{id}", fields: {first: "{a}", both: "{b}/{c}"}}}')
    assert commands(stream.insert(ROW)) == [(b"HSET", b"h:1", b"first", b"x", b"both", b"y/z")]
    assert commands(stream.insert({**ROW, "c": None})) == [
        (b"HSET", b"h:1", b"first", b"x"),
        (b"HDEL", b"h:1", b"both"),
    ]


def test_moved_hash_leaves_nothing_behind() -> None:
    """Changed key: the old hash is deleted, the new one written."""
    stream = one('{hash: {key: "h:{id}", fields: [a]}, ttl: 1m}')
    assert commands(stream.update((ROW, {**ROW, "id": 2}))) == [
        (b"UNLINK", b"h:1"),
        (b"HSET", b"h:2", b"a", b"x"),
        (b"PEXPIRE", b"h:2", b"60000"),
    ]


def test_list_of_fields_keeps_names_as_written() -> None:
    """Column names compare without regard to case; the field is named as the config writes it."""
    stream = one('{hash: {key: "h:{ID}", fields: [A]}}')
    assert commands(stream.insert(ROW)) == [(b"HSET", b"h:1", b"A", b"x")]


# ---------------------------------------------------------------------------- delete


@pytest.mark.parametrize(
    ("template", "inserted", "updated", "unmoved", "removed"),
    [
        ("k:{a}", {b"k:new"}, {b"k:old", b"k:new"}, {b"k:old"}, {b"k:old"}),
        ("k:{new.a}", {b"k:new"}, {b"k:new"}, {b"k:old"}, set()),
        ("k:{old.a}", set(), {b"k:old"}, set(), {b"k:old"}),
        ("k:{old.a}:{id}", set(), {b"k:old:1"}, set(), {b"k:old:1"}),
        ("k:{old.a}:{new.a}", set(), {b"k:old:new"}, {b"k:old:old"}, set()),
        ("k:{new.a}:{id}", {b"k:new:1"}, {b"k:new:1"}, {b"k:old:1"}, set()),
        ("k", {b"k"}, {b"k"}, {b"k"}, {b"k"}),
    ],
)
def test_deleted_keys_by_template_and_operation(
    template: str, inserted: set[bytes], updated: set[bytes], unmoved: set[bytes], removed: set[bytes]
) -> None:
    """The table of docs/configuration.md."""
    stream = one(f'{{delete: ["{template}"]}}')
    old, new = {**ROW, "a": "old"}, {**ROW, "a": "new"}
    assert deleted(stream.insert(new)) == inserted
    assert deleted(stream.update((old, new))) == updated
    assert deleted(stream.update((old, {**old, "c": "other"}))) == unmoved
    assert deleted(stream.delete(old)) == removed


def test_key_with_null_is_no_key_to_delete() -> None:
    """An order without user has no user's keys; nothing is counted as skipped."""
    stream = one('{delete: ["k:{a}", "l:{id}"]}')
    hidden = {**ROW, "a": None}
    assert deleted(stream.insert(hidden)) == {b"l:1"}
    assert deleted(stream.update((hidden, ROW))) == {b"k:x", b"l:1"}
    assert writes(stream.insert(hidden)).skipped == {}


def test_operations_of_delete_rule_are_limited_by_on() -> None:
    """on: [update] looks at both images, on: [delete] at the before image only."""
    update = one('{on: [update], delete: ["k:{a}"]}')
    assert deleted(update.insert(ROW)) == deleted(update.delete(ROW)) == set()
    assert deleted(update.update((ROW, {**ROW, "a": "q"}))) == {b"k:x", b"k:q"}
    assert plan_of(one('{on: [delete], delete: ["k:{a}"]}')).after == ()


# --------------------------------------------------------------------- several rules


def test_rules_of_all_matching_patterns_apply_in_document_order() -> None:
    """A wildcard adds to what the table's own name says."""
    stream = Stream('  "a*.t":\n    - {delete: ["w:{id}"]}\n  app.t:\n    - {delete: ["k:{id}"]}\n', LAYOUT)
    assert deleted(stream.insert(ROW)) == {b"w:1", b"k:1"}


def test_last_rule_wins_on_one_key() -> None:
    """All rules see the first row before any sees the second: there, k:2 is written by rule 2 and then by rule 1."""
    stream = several('{set: {key: "k:{id}", value: "{a}"}}', '{set: {key: "k:{b}", value: "{c}"}}')
    first, second = {**ROW, "id": 1, "b": 2, "c": "c1"}, {**ROW, "id": 2, "b": 1, "c": "c2"}
    assert plan_of(stream).by_row
    assert sorted(commands(stream.insert(first, second))) == [(b"SET", b"k:1", b"c2"), (b"SET", b"k:2", b"x")]


def test_result_does_not_depend_on_how_rows_are_cut_into_events() -> None:
    """The binlog may put rows of one statement into any number of events."""
    stream = several('{set: {key: "k:{id}", value: "{a}"}}', '{on: [insert], delete: ["k:{b}"]}')
    rows = [{**ROW, "id": 1, "b": 2}, {**ROW, "id": 2, "b": 3}, {**ROW, "id": 3, "b": 1}]
    together = commands(stream.insert(*rows))
    assert sorted(together) == sorted(commands(*(stream.insert(row) for row in rows)))


@pytest.mark.parametrize(
    ("rules", "by_row"),
    [
        (('{set: {key: "k:{id}", value: "{a}"}}', '{set: {key: "l:{id}", value: "{a}"}}'), False),
        (('{set: {key: "k:{id}", value: "{a}"}}', '{delete: ["l:{id}", "k:{id}:x"]}'), True),
        (('{set: {key: "{id}", value: "{a}"}}', '{delete: ["l:{id}"]}'), True),
        (('{delete: ["k:{id}"]}', '{delete: ["k:{a}"]}'), False),
    ],
)
def test_rows_are_taken_one_by_one_only_where_rules_may_meet(rules: tuple[str, str], *, by_row: bool) -> None:
    """The literal beginnings of the keys tell."""
    assert plan_of(several(*rules)).by_row is by_row


# ------------------------------------------------------------------------- selection


def test_columns_of_all_rules_are_selected_once_in_ascending_order() -> None:
    """The union, by image."""
    stream = several('{delete: ["k:{c}"]}', '{on: [insert], set: {key: "s:{b}", value: "{a}"}}')
    assert (plan_of(stream).before, plan_of(stream).after) == ((3,), (1, 2, 3))


def test_layout_is_compiled_once() -> None:
    """Equal layouts share one plan, another layout of the same table has its own."""
    stream = one('{delete: ["k:{id}"]}')
    again = table("app.t", "id", "a", "b", "c")
    assert stream.rules.select(LAYOUT) is stream.rules.select(again)
    assert stream.rules.select(LAYOUT) is not stream.rules.select(table("app.t", "a", "id"))


def test_changed_layout_finds_its_columns_elsewhere() -> None:
    """ALTER TABLE ... ADD COLUMN FIRST in mid-stream."""
    moved = table("app.t", "extra", "id", "a", "b", "c", id=Kind.INTEGER)
    stream = Stream('  app.t:\n    - {set: {key: "k:{id}", value: "{a}"}}\n', moved)
    assert commands(stream.insert({**ROW, "extra": "e"})) == [(b"SET", b"k:1", b"x")]


def test_missing_columns_are_named_with_rule_and_nearest_name() -> None:
    """All of them at once, so that one correction is enough."""
    stream = one('{when_changed: [cxx], set: {key: "k:{id}:{idd}", value: "{nothing}"}}')
    with pytest.raises(ConfigInvalid) as caught:
        stream.rules.select(table("app.t", "id", "a", "Cx"))
    assert caught.value.problems == (
        "tables.\"app.t\"[0]: table app.t has no column 'cxx'; did you mean 'Cx'?",
        "tables.\"app.t\"[0]: table app.t has no column 'idd'; did you mean 'id'?",
        "tables.\"app.t\"[0]: table app.t has no column 'nothing'; known here: Cx, a, id",
    )


@pytest.mark.parametrize(
    ("pattern", "schema", "name", "matches"),
    [
        ("shop.audit_*", "shop", "audit_2026", True),
        ("shop.audit_*", "shop", "audits", False),
        ("shop.audit_*", "Shop", "audit_1", False),
        ("sh?p.*", "shap", "x", True),
        ("*.users", "any", "users", True),
        ("*.*", "mysql", "user", False),
        ("m*.user", "mysql", "user", False),
        ("mysql.us*", "mysql", "user", True),
        ("a.b?c", "a", "b.c", True),
        ("a.b[c]", "a", "bc", False),
        ("a.b*", "a", "b\nc", True),
    ],
)
def test_wildcards(pattern: str, schema: str, name: str, *, matches: bool) -> None:
    """* and ? in both parts; the server's own schemas only by their name."""
    rules = config(f'  "{pattern}":\n    - {{delete: ["k"]}}\n').rules_for(schema, name)
    assert bool(rules) is matches


# ------------------------------------------------------------------------- safeguards


@pytest.mark.parametrize("template", ["{a}", "ha{a}", "hasync:{a}"])
def test_row_data_cannot_name_a_key_of_hasync(template: str) -> None:
    """A row whose text is 'hasync:{stream}:state' must never reach the fence."""
    head = template.removesuffix("{a}")
    hostile = {**ROW, "a": "hasync:{orders}:state".removeprefix(head)}
    written = one(f'{{set: {{key: "{template}", value: "{{b}}"}}}}')
    assert commands(written.insert(hostile), written.update((hostile, hostile)), written.delete(hostile)) == []
    assert writes(written.insert(hostile)).skipped["reserved_key"] == 1
    assert deleted(one(f'{{delete: ["{template}"]}}').insert(hostile)) == set()


def test_binary_data_and_percent_signs_pass_through_templates() -> None:
    """Values are bytes; no formatting ever looks at them."""
    stream = one('{set: {key: "100%{id}%s:{b}", value: "%d{a}%%{c}"}}')
    row = {**ROW, "a": b"\x00\xff%s", "b": b"\r\n", "c": b"{id}"}
    assert commands(stream.insert(row)) == [(b"SET", b"100%1%s:\r\n", b"%d\x00\xff%s%%{id}")]


def test_rows_selected_by_something_else_are_refused() -> None:
    """A plan reads tuples by place: another selection's rows would be misread."""

    class Other:
        before = after = (0,)

    changes = RowChanges(LAYOUT, Operation.INSERT, Other(), [()], [(b"1",)])
    with pytest.raises(Fatal, match=r"app\.t"):
        project([changes])
