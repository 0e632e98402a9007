"""Tables and changes of rows that hypothesis makes up, as SQL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from hasync.model.position import Flavor

Literals = st.SearchStrategy[str]

_TEXTS = {
    "utf8mb4": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    "utf8mb3": st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=20),
    "latin1": st.text(st.sampled_from("aZ é€ÿ\0'\\\n\x1aß„\xa0"), max_size=20),
    "gbk": st.text(st.sampled_from("aZ 漢字的一中文。\0'\\"), max_size=20),
}
"""Character sets, and texts that each can hold."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type as in CREATE TABLE, and literals that fit it. ``family`` is what comparisons go by."""

    sql: str
    values: Literals
    family: str


@dataclass(frozen=True, slots=True)
class Made:
    """One column of a made table."""

    name: str
    type: ColumnType
    options: str
    nullable: bool
    writable: bool

    @property
    def sql(self) -> str:
        """The column as CREATE TABLE has it."""
        return f"{self.name} {self.type.sql} {self.options}"


@dataclass(frozen=True, slots=True)
class Action:
    """One statement: rows by id, and what it sets of which columns."""

    verb: str
    ids: tuple[int, ...]
    values: tuple[tuple[str, str], ...] = ()

    def sql(self, table: str) -> str:
        """Return the statement."""
        if self.verb == "insert":
            names = ", ".join(["id", *(name for name, _ in self.values)])
            rows = ", ".join(f"({', '.join([str(one), *(value for _, value in self.values)])})" for one in self.ids)
            return f"INSERT INTO {table} ({names}) VALUES {rows}"
        chosen = f"WHERE id IN ({', '.join(map(str, self.ids))})"
        if self.verb == "delete":
            return f"DELETE FROM {table} {chosen}"
        sets = ", ".join(f"{name} = {value}" for name, value in self.values)
        return f"UPDATE {table} SET {sets} {chosen} ORDER BY id DESC"


@dataclass(frozen=True, slots=True)
class Story:
    """A table and what happens to its rows."""

    columns: tuple[Made, ...]
    actions: tuple[Action, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All columns; ``SELECT *`` would leave out the invisible ones."""
        return ("id", *(column.name for column in self.columns))

    def create(self, table: str) -> str:
        """Return the table's definition."""
        return f"CREATE TABLE {table} ({', '.join(['id INT PRIMARY KEY', *(one.sql for one in self.columns)])})"


def _hex(data: bytes) -> str:
    return f"x'{data.hex()}'"


def _integers(name: str, bits: int, *, unsigned: bool) -> ColumnType:
    low, high = (0, (1 << bits) - 1) if unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)
    values = st.one_of(st.sampled_from([low, low + 1, -1 if low else 1, 0, high - 1, high]), st.integers(low, high))
    return ColumnType(f"{name} UNSIGNED" if unsigned else name, values.map(str), "integer")


INTEGERS = [
    _integers(name, bits, unsigned=unsigned)
    for name, bits in (("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64))
    for unsigned in (False, True)
]


@st.composite
def _decimals(draw: st.DrawFn) -> ColumnType:
    precision = draw(st.integers(1, 65))
    scale = draw(st.integers(0, min(30, precision)))
    unsigned = draw(st.booleans())
    most = 10**precision - 1
    edges = [0, 1, most, *([] if unsigned else [-1, -most])]
    numbers = st.one_of(st.sampled_from(edges), st.integers(0 if unsigned else -most, most))

    def literal(number: int) -> str:
        digits = str(abs(number)).rjust(scale + 1, "0")
        whole, part = digits[: len(digits) - scale], digits[len(digits) - scale :]
        return ("-" if number < 0 else "") + whole + (f".{part}" if part else "")

    sql = f"DECIMAL({precision},{scale})" + (" UNSIGNED" if unsigned else "")
    return ColumnType(sql, numbers.map(literal), "decimal")


def _float_literal(value: float) -> str:
    return f"{value!r}e0" if "e" not in repr(value) else repr(value)


_FINITE = {"allow_nan": False, "allow_infinity": False, "allow_subnormal": False}
FLOATS = [
    ColumnType("FLOAT", st.floats(-(2.0**126), 2.0**126, width=32, **_FINITE).map(_float_literal), "float"),
    ColumnType("DOUBLE", st.floats(-1e300, 1e300, **_FINITE).map(_float_literal), "double"),
    ColumnType("DOUBLE", st.integers(-(10**18), 10**18).map(lambda n: f"{n}e0"), "double"),
    ColumnType("FLOAT", st.decimals(-1000, 1000, places=2).map(lambda n: f"{n}"), "float"),
]


def _bits(size: int) -> ColumnType:
    values = st.one_of(st.sampled_from([0, 1, (1 << size) - 1]), st.integers(0, (1 << size) - 1))
    return ColumnType(f"BIT({size})", values.map(str), "bit")


def _characters(kind: str, charset: str) -> ColumnType:
    values = _TEXTS[charset].map(lambda text: f"_utf8mb4 {_hex(text.encode())}")
    return ColumnType(f"{kind} CHARACTER SET {charset}", values, "text")


def _lines(charset: str) -> st.SearchStrategy[ColumnType]:
    kinds = ["CHAR(20)", "CHAR(200)", "VARCHAR(20)", "VARCHAR(300)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"]
    return st.sampled_from(kinds).map(lambda kind: _characters(kind, charset))


def _long_text(charset: str) -> ColumnType:
    piece = _TEXTS[charset].map(lambda text: f"_utf8mb4 {_hex(text.encode())}")
    return ColumnType(f"MEDIUMTEXT CHARACTER SET {charset}", piece.map(lambda text: f"REPEAT({text}, 400)"), "text")


def _bytes(kind: str, most: int, family: str) -> ColumnType:
    data = st.one_of(st.sampled_from([b"", b"\0", b"\0" * min(most, 9), b"a\0"]), st.binary(max_size=min(most, 30)))
    return ColumnType(kind, data.map(lambda value: _hex(value[:most])), family)


BINARIES = [
    *(_bytes(f"BINARY({size})", size, "binary") for size in (1, 4, 16, 255)),
    *(_bytes(f"VARBINARY({size})", size, "bytes") for size in (1, 10, 300)),
    *(_bytes(kind, 30, "bytes") for kind in ("TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB")),
]


@st.composite
def _choices(draw: st.DrawFn) -> ColumnType:
    size = draw(st.sampled_from([1, 2, 8, 9, 17, 63, 64]))
    members = [f"m{number}é" for number in range(size)]
    listed = ", ".join(f"'{member}'" for member in members)
    charset = draw(st.sampled_from(["utf8mb4", "latin1"]))
    if draw(st.booleans()):
        size = draw(st.sampled_from([size, 300]))
        listed = ", ".join(f"'m{number}é'" for number in range(size))
        values = st.integers(1, size).map(str)
        return ColumnType(f"ENUM({listed}) CHARACTER SET {charset}", values, "enum")
    values = st.one_of(st.sampled_from([0, (1 << size) - 1]), st.integers(0, (1 << size) - 1)).map(str)
    return ColumnType(f"SET({listed}) CHARACTER SET {charset}", values, "set")


def _fraction(digits: int) -> Literals:
    numbers = st.one_of(st.sampled_from([0, 10**digits - 1]), st.integers(0, 10**digits - 1))
    return numbers.map(lambda number: f".{number:0{digits}d}") if digits else st.just("")


@st.composite
def _times(draw: st.DrawFn) -> ColumnType:
    kind = draw(st.sampled_from(["DATE", "TIME", "DATETIME", "TIMESTAMP", "YEAR"]))
    if kind == "YEAR":
        return ColumnType("YEAR", st.sampled_from([0, 1901, 1999, 2155]).map(str), "year")
    days = st.dates().map(str) if kind != "TIMESTAMP" else st.sampled_from(["1970-01-02", "2038-01-18", "2024-02-29"])
    days = days if kind == "TIMESTAMP" else st.one_of(days, st.sampled_from(["0000-00-00", "2024-02-31", "2024-00-00"]))
    if kind == "DATE":
        return ColumnType("DATE", days.map(lambda day: f"'{day}'"), "date")
    digits = draw(st.integers(0, 6))
    clock = st.times().map(lambda time: time.strftime("%H:%M:%S"))
    if kind == "TIME":
        hours = st.tuples(st.sampled_from(["", "-"]), st.integers(0, 837), clock)
        clock = hours.map(lambda parts: f"{parts[0]}{parts[1]}:{parts[2][3:]}")
        values = st.tuples(clock, _fraction(digits)).map("".join)
    else:
        values = st.tuples(days, st.just(" "), clock, _fraction(digits)).map("".join)
    return ColumnType(f"{kind}({digits})", values.map(lambda text: f"'{text}'"), kind.lower())


def _documents() -> st.SearchStrategy[object]:
    numbers = st.one_of(st.integers(-(1 << 63), (1 << 64) - 1), st.floats(-1e300, 1e300, **_FINITE))
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
        max_leaves=12,
    )


JSON = ColumnType("JSON", _documents().map(lambda value: f"_utf8mb4 {_hex(json.dumps(value).encode())}"), "json")
BIG_JSON = ColumnType(
    "JSON",
    st.integers(9, 3000).map(lambda size: f"_utf8mb4 {_hex(json.dumps({'k' * 9: ['v' * 30] * size}).encode())}"),
    "json",
)
_COORDINATES = st.floats(-180, 180, **_FINITE)
GEOMETRY = ColumnType(
    "GEOMETRY",
    st.tuples(_COORDINATES, _COORDINATES).map(lambda at: f"ST_GeomFromText('LINESTRING(0 0, {at[0]:f} {at[1]:f})')"),
    "bytes",
)
OPAQUE_JSON = ColumnType(
    "JSON",
    st.sampled_from(
        [
            "JSON_ARRAY(CAST(-1.50 AS DECIMAL(10,2)), CAST('2024-01-02' AS DATE), CAST('-01:02:03.5' AS TIME(6)))",
            "JSON_OBJECT('d', CAST('2024-01-02 03:04:05.678' AS DATETIME(3)), 'b', x'00FF', 'n', 18446744073709551615)",
        ]
    ),
    "opaque",
)
VECTOR = ColumnType(
    "VECTOR(3)",
    st.lists(st.integers(-999, 999), min_size=3, max_size=3).map(lambda items: f"TO_VECTOR('{items}')"),
    "vector",
)
MARIADB_TYPES = [
    ColumnType("UUID", st.uuids().map(lambda value: f"'{value}'"), "uuid"),
    ColumnType("INET6", st.ip_addresses(v=6).map(lambda value: f"'{value}'"), "inet"),
    ColumnType("INET4", st.ip_addresses(v=4).map(lambda value: f"'{value}'"), "inet"),
    ColumnType(
        "VARCHAR(300) COMPRESSED", _TEXTS["utf8mb4"].map(lambda t: f"_utf8mb4 {_hex(t.encode() * 5)}"), "packed"
    ),
    ColumnType("BLOB COMPRESSED", st.binary(max_size=30).map(lambda data: _hex(data * 9)), "packed"),
]


def column_types(flavor: Flavor) -> st.SearchStrategy[ColumnType]:
    """Any type that the server has."""
    kinds: list[st.SearchStrategy[ColumnType]] = [
        st.sampled_from(INTEGERS),
        _decimals(),
        st.sampled_from(FLOATS),
        st.sampled_from([1, 2, 8, 9, 33, 63, 64]).map(_bits),
        st.sampled_from(sorted(_TEXTS)).flatmap(_lines),
        st.sampled_from(sorted(_TEXTS)).map(_long_text),
        st.sampled_from(BINARIES),
        _choices(),
        _times(),
        st.sampled_from([JSON, BIG_JSON]),
        st.just(GEOMETRY),
        st.sampled_from([OPAQUE_JSON, VECTOR] if flavor is Flavor.MYSQL else MARIADB_TYPES),
    ]
    return st.one_of(kinds)


@st.composite
def _column(draw: st.DrawFn, number: int, flavor: Flavor) -> Made:
    if number and draw(st.integers(0, 7)) == 0:
        kind = ColumnType("BIGINT", st.nothing(), "integer")
        where = draw(st.sampled_from(["STORED", "VIRTUAL"]))
        return Made(
            f"c{number}", kind, f"GENERATED ALWAYS AS (id * 3 + {number}) {where}", nullable=True, writable=False
        )
    kind = draw(column_types(flavor))
    nullable = draw(st.booleans()) or draw(st.booleans())
    options = "NULL" if nullable else "NOT NULL"
    if nullable and draw(st.integers(0, 5)) == 0:
        options = f"{options} INVISIBLE" if flavor is Flavor.MYSQL else f"INVISIBLE {options}"
    return Made(f"c{number}", kind, options, nullable=nullable, writable=True)


@st.composite
def stories(draw: st.DrawFn, flavor: Flavor, *, most_columns: int = 10) -> Story:
    """A table of up to so many columns, and up to a dozen statements on its rows."""
    width = draw(st.integers(1, most_columns))
    columns = [draw(_column(number, flavor)) for number in range(width)]
    actions = []
    alive: list[int] = []
    next_id = 1
    for _ in range(draw(st.integers(1, 12))):
        verb = draw(st.sampled_from(["insert", "insert", "insert", "update", "update", "move", "delete"]))
        if not alive or verb == "insert":
            ids = tuple(range(next_id, next_id + draw(st.sampled_from([1, 1, 3]))))
            actions.append(Action("insert", ids, _values(draw, columns, whole=True)))
            alive += ids
            next_id += len(ids)
            continue
        ids = tuple(draw(st.lists(st.sampled_from(alive), min_size=1, max_size=3, unique=True)))
        if verb == "delete":
            actions.append(Action("delete", ids))
            alive = [one for one in alive if one not in ids]
        elif verb == "move":
            actions.append(Action("update", ids, (("id", "id + 1000"), *_values(draw, columns, whole=False))))
            alive = [one + 1000 if one in ids else one for one in alive]
        elif values := _values(draw, columns, whole=False):
            actions.append(Action("update", ids, values))
    return Story(tuple(columns), tuple(actions))


def _values(draw: st.DrawFn, columns: Sequence[Made], *, whole: bool) -> tuple[tuple[str, str], ...]:
    """Return literals for all columns that can be written, or for some."""
    found = []
    for column in columns:
        if not column.writable or not (whole or draw(st.booleans())):
            continue
        if column.nullable and draw(st.integers(0, 3)) == 0:
            found.append((column.name, "NULL"))
        else:
            found.append((column.name, draw(column.type.values)))
    return tuple(found)
