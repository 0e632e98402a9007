"""Rules of chance over a made table, and what they demand of Redis, from SELECT's point of view only."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from hasync.model.change import Operation
from hasync.model.position import Flavor
from tests.integration.binlog.randomtables import Story

TTL_MS = 3_600_000

Row = tuple[object, ...]
Changed = tuple[Operation, Row, Row]
Content = dict[bytes, object]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The columns that a table's rules are about. ``fields``: of the hash; the others: of a string each."""

    joined: tuple[str, ...]
    watched: str
    fields: tuple[str, ...]
    lasting: bool

    def rules(self, table: str) -> list[object]:
        """Return the rules as a config has them; JSON is YAML."""
        value = "|".join(f"{{{name}}}" for name in self.joined)
        ttl = {} if self.lasting else {"ttl": "1h"}
        return [
            {"set": {"key": f"{table}:set:{{id}}", "value": value}},
            {
                "set": {"key": f"{table}:watched:{{id}}", "value": f"{{{self.watched}}}"},
                "when_changed": [self.watched],
                **ttl,
            },
            {"hash": {"key": f"{table}:hash:{{id}}", "fields": list(self.fields)}, **ttl},
            {"delete": [f"{table}:any:{{id}}", f"{table}:given-up:{{old.id}}", f"{table}:value:{{{self.watched}}}"]},
        ]


@st.composite
def choices(draw: st.DrawFn, story: Story) -> Chosen:
    """Choose columns; JSON stands alone, since its text need only be equal as JSON."""
    plain = [name for name, family in families(story).items() if family not in ("json", "opaque")]
    return Chosen(
        joined=tuple(draw(st.lists(st.sampled_from(plain), min_size=1, max_size=3))),
        watched=draw(st.sampled_from(plain)),
        fields=tuple(draw(st.lists(st.sampled_from(story.names), min_size=1, max_size=6, unique=True))),
        lasting=draw(st.booleans()),
    )


def families(story: Story) -> dict[str, str]:
    """Return each column's family."""
    return {"id": "integer"} | {column.name: column.type.family for column in story.columns}


def seeds(table: str, story: Story, chosen: Chosen, changes: Iterable[Changed]) -> list[bytes]:
    """Return keys to put into Redis beforehand, so that the delete rule has something to delete, and to leave."""
    ids = {one for action in story.actions for one in action.ids}
    ids |= {one + 1000 for one in ids} | {9_999}
    keys = [f"{table}:{kind}:{one}".encode() for kind in ("any", "given-up") for one in sorted(ids)]
    return keys + sorted(_value_keys(table, story, chosen, changes)) + [f"{table}:value:never".encode()]


def _value_keys(table: str, story: Story, chosen: Chosen, changes: Iterable[Changed]) -> set[bytes]:
    at = story.names.index(chosen.watched)
    values = {image[at] for _, old, new in changes for image in (old, new) if image}
    return {f"{table}:value:".encode() + _bytes(value) for value in values if value is not None}


def deleted(table: str, story: Story, chosen: Chosen, changes: Sequence[Changed]) -> set[bytes]:
    """Return the keys that the delete rule removes: of both images; of the old one only where it was given up."""
    gone = _value_keys(table, story, chosen, changes)
    for _, old, new in changes:
        gone |= {f"{table}:any:".encode() + _bytes(image[0]) for image in (old, new) if image}
        if old and (not new or old[0] != new[0]):
            gone.add(f"{table}:given-up:".encode() + _bytes(old[0]))
    return gone


def demanded(table: str, story: Story, chosen: Chosen, rows: Mapping[int, Row]) -> Content:
    """Return what the set and hash rules make of the table as it is."""
    found: Content = {}
    for number, row in rows.items():
        values = dict(zip(story.names, row, strict=True))
        joined = [values[name] for name in chosen.joined]
        if all(value is not None for value in joined):
            found[f"{table}:set:{number}".encode()] = b"|".join(_bytes(value) for value in joined)
        if values[chosen.watched] is not None:
            found[f"{table}:watched:{number}".encode()] = values[chosen.watched]
        fields = {name.encode(): values[name] for name in chosen.fields if values[name] is not None}
        if fields:
            found[f"{table}:hash:{number}".encode()] = fields
    return found


def canonical(content: Content, table: str, story: Story, flavor: Flavor) -> Content:
    """Return a table's keys with JSON fields parsed; on MariaDB JSON is text, and stays as it is."""
    kinds = families(story)
    found: Content = {}
    for key, value in content.items():
        if isinstance(value, dict) and key.startswith(f"{table}:".encode()) and flavor is Flavor.MYSQL:
            found[key] = {
                name: json.loads(text) if kinds[name.decode()] in ("json", "opaque") else text
                for name, text in value.items()
            }
        else:
            found[key] = value
    return found


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
