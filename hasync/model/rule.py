"""Rules: what a change of a row does to Redis, as a config states it.

The models check what can be checked without a table: shape, templates, and how the
options of a rule relate. Whether the columns exist is known only when the table's
layout is (:mod:`hasync.stream.rules`). What each rule means, image by image, is
written in docs/configuration.md.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from hasync.model.change import Operation
from hasync.model.duration import Duration
from hasync.model.names import Fault, Faults, nearest
from hasync.model.template import Image, Template

RESERVED_PREFIX = b"hasync:{"
"""Keys of hasync itself begin so; the fence is one of them, therefore no rule may write there."""


class Part(BaseModel):
    """A mapping of the config: unknown keys are errors, values are never converted silently, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False, arbitrary_types_allowed=True)


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise Fault("not text", "quote it")
    return raw


def _template(raw: object) -> Template:
    return Template.parse(_text(raw))


def _key(raw: object) -> Template:
    template = _template(raw)
    if not template.parts:
        raise Fault("an empty key", "write text with at least one {column}")
    if template.prefix.startswith(RESERVED_PREFIX):
        raise Fault("keys that begin with 'hasync:{' are hasync's own", "use another prefix")
    return template


def _column(raw: object) -> str:
    text = _text(raw)
    fault = Fault("not the name of a column", "write the bare name, without braces, 'old.' or 'new.'")
    if "{" in text or "}" in text:
        raise fault
    try:
        (reference,) = Template.parse(f"{{{text}}}").references
    except Fault:
        raise fault from None
    if reference.image is not Image.ROW:
        raise fault
    return text


def _handler(raw: object) -> str:
    text = _text(raw)
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", text):
        raise Fault("not the address of a handler", "write package.module:function")
    return text


def _fields(raw: object) -> tuple[tuple[str, Template], ...]:
    remedy = "list columns, [name, price], or map fields to templates, {cost: '{price}'}"
    if isinstance(raw, list):
        pairs = [(_field_column(column, at), column) for at, column in enumerate(raw)]
        fields = tuple((name, Template.parse(f"{{{column}}}")) for name, column in pairs)
    elif isinstance(raw, dict):
        fields = tuple(_field_template(name, text) for name, text in raw.items())
    else:
        raise Fault("neither a list nor a mapping", remedy)
    if not fields:
        raise Fault("a hash without fields", remedy)
    _refuse_repeats([name for name, _ in fields])
    return fields


def _field_column(raw: object, at: int) -> str:
    try:
        return _column(raw)
    except Fault as fault:
        raise Fault(fault.what, fault.remedy, at=(at,)) from None


def _field_template(name: object, text: object) -> tuple[str, Template]:
    field = _text(name)
    try:
        return field, _template(text)
    except Fault as fault:
        raise Fault(fault.what, fault.remedy, at=(field,)) from None


def _columns(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or not raw:
        raise Fault("no list of columns", "list the columns that count, [balance], or leave the option out")
    columns = tuple(_field_column(column, at) for at, column in enumerate(raw))
    _refuse_repeats([column.lower() for column in columns])
    return columns


def _operations(raw: object) -> tuple[Operation, ...]:
    remedy = f"list some of {', '.join(Operation)}"
    if not isinstance(raw, list) or not raw:
        raise Fault("no list of operations", remedy)
    for at, name in enumerate(raw):
        if name not in list(Operation):
            raise Fault("no such operation", f"{remedy}; {nearest(str(name), Operation)}", at=(at,))
    _refuse_repeats(raw)
    return tuple(operation for operation in Operation if operation in raw)


def _refuse_repeats(names: list[str]) -> None:
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise Fault(f"{repeated[0]!r} is there twice", "name each once")


def _written_fields(fields: tuple[tuple[str, Template], ...]) -> list[str] | dict[str, str]:
    if all(template.text == f"{{{name}}}" for name, template in fields):
        return [name for name, _ in fields]
    return {name: template.text for name, template in fields}


_ColumnList = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
_TemplateText = WithJsonSchema({"type": "string", "description": "Text with {column}, {old.column}, {new.column}."})
Key = Annotated[Template, PlainValidator(_key), PlainSerializer(str), _TemplateText]
Text = Annotated[Template, PlainValidator(_template), PlainSerializer(str), _TemplateText]
Fields = Annotated[
    tuple[tuple[str, Template], ...],
    PlainValidator(_fields),
    PlainSerializer(_written_fields),
    WithJsonSchema(
        {"oneOf": [_ColumnList, {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}]}
    ),
]
Columns = Annotated[tuple[str, ...], PlainValidator(_columns), PlainSerializer(list), WithJsonSchema(_ColumnList)]
Operations = Annotated[
    tuple[Operation, ...],
    PlainValidator(_operations),
    PlainSerializer(lambda operations: [operation.value for operation in operations]),
    WithJsonSchema({**_ColumnList, "items": {"enum": [operation.value for operation in Operation]}}),
]
Span = Annotated[
    Duration,
    PlainValidator(Duration.parse),
    PlainSerializer(str),
    WithJsonSchema(
        {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$"}]}
    ),
]
Address = Annotated[str, PlainValidator(_handler), WithJsonSchema({"type": "string", "pattern": r"^[\w.]+:\w+$"})]


class SetAction(Part):
    """One string per row."""

    key: Key = Field(description="The key; must hold a column of the row, else all rows would share one key.")
    value: Text = Field(description="The value; a NULL column in it deletes the key instead.")


class HashAction(Part):
    """One hash per row."""

    key: Key = Field(description="The key; must hold a column of the row, else all rows would share one key.")
    fields: Fields = Field(
        description="Columns, each a field of its own name, or fields with templates; a NULL column removes the field."
    )


class Rule(Part):
    """Exactly one of set, delete, hash and handler, with its options."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [action]} for action in ("set", "delete", "hash", "handler")]}
    )

    set_: SetAction | None = Field(None, alias="set", description="Write one string per row.")
    delete: tuple[Key, ...] | None = Field(None, description="Delete these keys.")
    hash_: HashAction | None = Field(None, alias="hash", description="Write one hash per row.")
    handler: Address | None = Field(None, description="package.module:function, from row changes to Redis commands.")
    on: Operations = Field(tuple(Operation), description="The operations that count; all three when left out.")
    when_changed: Columns = Field(
        (), description="An update counts only if one of these columns, or a column of the key, changed."
    )
    ttl: Span | None = Field(None, description="Lifetime of the written key, renewed by each write; set and hash only.")

    @property
    def action(self) -> str:
        """Which of the four it is."""
        return next(name for name, value in self._actions().items() if value is not None)

    def _actions(self) -> dict[str, Any]:
        return {"set": self.set_, "delete": self.delete, "hash": self.hash_, "handler": self.handler}

    @property
    def key(self) -> Template | None:
        """The key of a set or hash rule."""
        action = self.set_ or self.hash_
        return action.key if action else None

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name, value in self._actions().items() if value is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} in one rule" if given else "a rule that does nothing"
            raise Fault(what, "write exactly one of set, delete, hash, handler; several rules may follow each other")
        if faults := [*_option_faults(self), *_written_faults(self), *_deleted_faults(self)]:
            raise Faults(faults)
        return self


def _option_faults(rule: Rule) -> Iterator[Fault]:
    if rule.when_changed and Operation.UPDATE not in rule.on:
        yield Fault("when_changed is about updates, which 'on' leaves out", "add update to 'on'", at=("when_changed",))
    if rule.ttl and rule.key is None:
        remedy = "drop it" if rule.delete else "let the handler return a PEXPIRE command"
        yield Fault(f"a ttl has no meaning for {rule.action}", remedy, at=("ttl",))
    if rule.delete == ():
        yield Fault("no key to delete", "list at least one key", at=("delete",))


def _written_faults(rule: Rule) -> Iterator[Fault]:
    """Faults of set and hash: the key must be computable from either image alone."""
    if rule.key is None:
        return
    at = (rule.action, "key")
    if not rule.key.references:
        yield Fault("a key without any column: every row would write the same key", "add a {column}", at=at)
    if rule.key.images - {Image.ROW}:
        remedy = "write {column}; hasync deletes the old key itself when it changes"
        yield Fault("old. and new. have no place in the key of a set or hash", remedy, at=at)
    if Operation.INSERT in rule.on:
        remedy = "write {column}, or take insert out of 'on'"
        for place, template in _values(rule):
            if Image.OLD in template.images:
                yield Fault("an insert has no old image", remedy, at=place)


def _values(rule: Rule) -> Iterator[tuple[tuple[str, ...], Template]]:
    if rule.set_:
        yield ("set", "value"), rule.set_.value
    if rule.hash_:
        for name, template in rule.hash_.fields:
            yield ("hash", "fields", name), template


def _deleted_faults(rule: Rule) -> Iterator[Fault]:
    """Faults of delete: each template must give a key for some operation of 'on'."""
    texts = [template.text for template in rule.delete or ()]
    for number, template in enumerate(rule.delete or ()):
        at = ("delete", number)
        if template.text in texts[:number]:
            yield Fault("the same key twice", "name each key once", at=at)
        if not set(rule.on) & operations_of(template):
            needed = " or ".join(sorted(operations_of(template)))
            images = " and ".join(f"{image}." for image in sorted(template.images - {Image.ROW}))
            yield Fault(
                f"{images} never has a value with this 'on'", f"add {needed} to 'on', or write {{column}}", at=at
            )


def operations_of(template: Template) -> set[Operation]:
    """Return the operations for which a delete rule gets a key out of this template."""
    old, new = Image.OLD in template.images, Image.NEW in template.images
    if old and new:
        return {Operation.UPDATE}
    if old:
        return {Operation.UPDATE, Operation.DELETE}
    return {Operation.INSERT, Operation.UPDATE} if new else set(Operation)
