"""Declared column types, as both servers' catalogs and their statements spell them."""

from dataclasses import dataclass, replace

from hasync.binlog.charsets import BINARY
from hasync.binlog.sqltokens import Cursor, Dialect, NotUnderstoodError, TokenKind, tokens
from hasync.binlog.tablemap import ColumnLayout
from hasync.binlog.types import Code
from hasync.model.position import Flavor

_SYNONYMS = {
    "integer": "int",
    "int1": "tinyint",
    "int2": "smallint",
    "int3": "mediumint",
    "int4": "int",
    "int8": "bigint",
    "middleint": "mediumint",
    "bool": "tinyint",
    "boolean": "tinyint",
    "dec": "decimal",
    "numeric": "decimal",
    "fixed": "decimal",
    "float4": "float",
    "float8": "double",
    "character": "char",
    "varcharacter": "varchar",
    "geomcollection": "geometry",
}
_SHAPES = ("point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection")
_BLOB_CODES = frozenset({Code.BLOB, Code.TINY_BLOB, Code.MEDIUM_BLOB, Code.LONG_BLOB, Code.BLOB_COMPRESSED})
_BLOBS = ("tinyblob", "blob", "mediumblob", "longblob")
_TEXTS = ("tinytext", "text", "mediumtext", "longtext")
_CODES: dict[str, frozenset[int]] = {
    "tinyint": frozenset({Code.TINY}),
    "smallint": frozenset({Code.SHORT}),
    "mediumint": frozenset({Code.INT24}),
    "int": frozenset({Code.LONG}),
    "bigint": frozenset({Code.LONGLONG}),
    "decimal": frozenset({Code.NEWDECIMAL}),
    "float": frozenset({Code.FLOAT, Code.DOUBLE}),
    "double": frozenset({Code.DOUBLE}),
    "real": frozenset({Code.FLOAT, Code.DOUBLE}),
    "bit": frozenset({Code.BIT}),
    "year": frozenset({Code.YEAR}),
    "date": frozenset({Code.DATE, Code.NEWDATE}),
    "time": frozenset({Code.TIME, Code.TIME2}),
    "datetime": frozenset({Code.DATETIME, Code.DATETIME2}),
    "timestamp": frozenset({Code.TIMESTAMP, Code.TIMESTAMP2}),
    "char": frozenset({Code.STRING}),
    "binary": frozenset({Code.STRING}),
    "varchar": frozenset({Code.VARCHAR, Code.VAR_STRING, Code.VARCHAR_COMPRESSED}),
    "varbinary": frozenset({Code.VARCHAR, Code.VAR_STRING, Code.VARCHAR_COMPRESSED}),
    **dict.fromkeys((*_BLOBS, *_TEXTS), _BLOB_CODES),
    "json": _BLOB_CODES | {Code.JSON},
    "enum": frozenset({Code.ENUM}),
    "set": frozenset({Code.SET}),
    **dict.fromkeys((*_SHAPES, "geometry"), frozenset({Code.GEOMETRY})),
    "vector": frozenset({Code.VECTOR}),
    "uuid": frozenset({Code.STRING}),
    "inet6": frozenset({Code.STRING}),
    "inet4": frozenset({Code.STRING}),
}
"""Which types of a table map a declared one may come as."""

_WIDTHS = {"tinyint": 3, "smallint": 5, "mediumint": 8, "int": 10, "bigint": 20}
"""Digits of a ZEROFILL column that is declared without."""

_CHARACTER = frozenset({"char", "varchar", "enum", "set", *_TEXTS})
_BYTES = frozenset({"binary", "varbinary", *_BLOBS})
_LONGEST_FLOAT = 24
_WIDEST_CHARACTER = 4
_STRING_BYTES = {"uuid": 16, "inet6": 16, "inet4": 4}
_FRACTIONAL = frozenset({Code.TIME2, Code.DATETIME2, Code.TIMESTAMP2})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A column's declared type.

    ``base``: its canonical name, "" for one that is not known. ``charset``: "" for what is no
    text, None when the statement leaves it to the table's default. ``members``: of ENUM and SET,
    None when not known exactly.
    """

    base: str
    sizes: tuple[int, ...] = ()
    unsigned: bool = False
    zerofill: bool = False
    members: tuple[str, ...] | None = ()
    charset: str | None = ""

    @property
    def textual(self) -> bool:
        """Whether the type has a character set of its own."""
        return self.base in _CHARACTER

    def spelled(self, code: int) -> str:
        """Return the type as the catalog would spell it for a column that the table map gives this code."""
        base = "float" if self.base == "real" and code == Code.FLOAT else self.base.replace("real", "double")
        sizes = self.sizes or ((_WIDTHS[base],) if self.zerofill and base in _WIDTHS else ())
        numbers = f"({','.join(map(str, sizes))})" if sizes else ""
        return f"{base}{numbers}{' unsigned' if self.unsigned else ''}{' zerofill' if self.zerofill else ''}"

    def may_be(self, column: ColumnLayout) -> bool:
        """Whether a table map's column can be of this type; how long blobs may be is not compared."""
        if not self.base:
            return True
        return column.code in _CODES[self.base] and self._length_fits(column)

    def _length_fits(self, column: ColumnLayout) -> bool:
        code, meta = column.code, column.meta
        if code in _FRACTIONAL:
            return meta == (self.sizes[0] if self.sizes else 0)
        if code == Code.NEWDECIMAL:
            precision, scale = (*self.sizes, *(10, 0)[len(self.sizes) :])
            return meta == ((precision or 10) << 8 | scale)
        if code == Code.BIT:
            bits = self.sizes[0] if self.sizes else 1
            return meta == ((bits & 7) << 8 | bits >> 3)
        if code in (Code.STRING, Code.VARCHAR):
            return self._characters_fit(meta)
        return not (code == Code.SET and self.members) or meta == _set_bytes(len(self.members or ()))

    def _characters_fit(self, size_bytes: int) -> bool:
        characters = _STRING_BYTES.get(self.base, self.sizes[0] if self.sizes else 1)
        widest = 1 if self.base in _BYTES or self.base in _STRING_BYTES else _WIDEST_CHARACTER
        return size_bytes in {characters * width for width in range(1, widest + 1)}


def _set_bytes(members: int) -> int:
    size = (members + 7) // 8
    return size if size <= _WIDEST_CHARACTER else 8


def declared(text: str, charset: str | None, flavor: Flavor) -> Declared:
    """Return the type that a catalog's COLUMN_TYPE spells; ``charset``: what the catalog says of it."""
    try:
        cursor = Cursor(tokens(text, Dialect(flavor=flavor)))
        found = read_type(cursor, flavor)
    except NotUnderstoodError:
        return Declared(base="", members=None, charset=None)
    return replace(found, charset=charset) if charset and found.textual else found


def read_type(cursor: Cursor, flavor: Flavor) -> Declared:
    """Take a type and what belongs to it (sizes, signs, character set), not the column's other attributes.

    A type that is not known comes back without ``base``. Raises NotUnderstoodError.
    """
    word = cursor.name().lower()
    if word == "serial":
        return Declared(base="bigint", unsigned=True)
    if word == "long":
        word = "mediumblob" if cursor.accept("VARBINARY") else "mediumtext"
        cursor.accept("VARCHAR") or cursor.accept("VARYING")
    base = _SYNONYMS.get(word, word)
    if base == "double":
        cursor.accept("PRECISION")
    if base == "char" and cursor.accept("VARYING"):
        base = "varchar"
    found = _sized(cursor, base, boolean=word in ("bool", "boolean"))
    return _qualified(cursor, _of_flavor(found, flavor))


def _sized(cursor: Cursor, base: str, *, boolean: bool) -> Declared:
    if base in ("enum", "set"):
        return Declared(base=base, members=_members(cursor), charset=None)
    sizes = (1,) if boolean else _sizes(cursor)
    if base == "float" and len(sizes) == 1:
        base, sizes = "double" if sizes[0] > _LONGEST_FLOAT else "float", ()
    if base not in _CODES:
        return Declared(base="", members=None, charset=None)
    if base in _BYTES:
        return Declared(base=base, sizes=sizes, charset=BINARY)
    return Declared(base=base, sizes=sizes, charset=None if base in _CHARACTER else "")


def _of_flavor(found: Declared, flavor: Flavor) -> Declared:
    """MariaDB's JSON is LONGTEXT, its VECTOR is not MySQL's."""
    if flavor is Flavor.MYSQL:
        return found
    if found.base == "vector":
        return replace(found, base="")
    return replace(found, base="longtext", charset="utf8mb4") if found.base == "json" else found


def _sizes(cursor: Cursor) -> tuple[int, ...]:
    """Take ``(10)`` or ``(10, 2)``; only digits, which may end in a letter for large objects."""
    if not cursor.accept("("):
        return ()
    sizes = []
    while True:
        token = cursor.take()
        if token.kind is not TokenKind.NUMBER or not token.text.isdigit():
            raise NotUnderstoodError("a type's length is no number")
        sizes.append(int(token.text))
        if cursor.accept(")"):
            return tuple(sizes)
        cursor.expect(",")


def _members(cursor: Cursor) -> tuple[str, ...]:
    cursor.expect("(")
    members = [cursor.string()]
    while not cursor.accept(")"):
        cursor.expect(",")
        members.append(cursor.string())
    return tuple(members)


def _qualified(cursor: Cursor, found: Declared) -> Declared:
    while True:
        word = cursor.any_of("UNSIGNED", "ZEROFILL", "SIGNED", "ASCII", "UNICODE", "BINARY", "COMPRESSED")
        if word in ("UNSIGNED", "ZEROFILL"):
            found = replace(found, unsigned=True, zerofill=found.zerofill or word == "ZEROFILL")
        elif word in ("ASCII", "UNICODE"):
            found = replace(found, charset={"ASCII": "latin1", "UNICODE": "ucs2"}[word])
        elif word == "COMPRESSED" and cursor.accept("="):
            cursor.name()
        elif not word:
            charset = read_charset(cursor)
            if not charset:
                return found
            found = replace(found, charset=charset)


def read_charset(cursor: Cursor) -> str:
    """Take ``CHARACTER SET x`` or ``CHARSET x``, with ``=`` or without; return the name or "".

    Raises NotUnderstoodError for ``DEFAULT``, which is another table's or schema's.
    """
    if not cursor.accept("CHARACTER", "SET") and not cursor.accept("CHARSET"):
        return ""
    cursor.accept("=")
    token = cursor.take()
    if token.reads("DEFAULT") or token.kind is TokenKind.NUMBER:
        raise NotUnderstoodError("a character set that is not named")
    return token.text.lower()


def charset_of_collation(collation: str) -> str | None:
    """Return the character set that a collation's name begins with; None for those of any set (``uca1400``)."""
    charset = collation.lower().partition("_")[0]
    return None if charset.startswith("uca") else charset
