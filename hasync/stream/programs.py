"""From a table's rules to a program, which a source carries out on row images by itself.

Says the same as the steps that :mod:`hasync.stream.compiler` makes of the rules, in slots instead of functions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hasync.model.change import Operation
from hasync.model.program import Delete, Effect, Pairs, Parts, Program, PutHash, PutString, Write
from hasync.model.rule import Rule
from hasync.model.template import Image, Reference, Template
from hasync.stream.needs import OLD_SIDE, key_templates, names


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Where the columns of a table's selection stand in the joined row. ``numbers``: by column, in lower case."""

    numbers: dict[str, int]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def old(self, column: str) -> int:
        """Return the slot of a column of the before image."""
        return self.before.index(self.numbers[column.lower()])

    def new(self, column: str) -> int:
        """Return the slot of a column of the after image."""
        return len(self.before) + self.after.index(self.numbers[column.lower()])

    def pairs(self, columns: Iterable[str]) -> Pairs:
        """Return the slots of each column in both images."""
        wanted = sorted({column.lower() for column in columns}, key=self.numbers.__getitem__)
        return tuple((self.old(column), self.new(column)) for column in wanted)

    def parts(self, template: Template, image: Image) -> Parts:
        """Return a template's text; ``image``: what bare references read, ``ROW`` also honours ``old.``."""

        def slot(reference: Reference) -> int:
            old = image is Image.OLD or (image is Image.ROW and reference.image is Image.OLD)
            return self.old(reference.column) if old else self.new(reference.column)

        return tuple(part.encode() if isinstance(part, str) else slot(part) for part in template.parts)


def program_of(rules: Sequence[Rule], slots: Slots, *, by_row: bool) -> Program | None:
    """Return the program of these rules; None when one of them is a handler, which needs rows as objects."""
    if any(rule.handler for rule in rules):
        return None
    effects = {on: tuple(_effect(rule, on, slots) for rule in rules if on in rule.on) for on in Operation}
    return Program(effects=effects, by_row=by_row)


def _effect(rule: Rule, on: Operation, slots: Slots) -> Effect:
    writes = _put(rule, rule.key, on, slots) if rule.key else _deletes(rule, on, slots)
    changed: Pairs = ()
    if rule.when_changed and on is Operation.UPDATE:
        changed = slots.pairs({*rule.when_changed, *names(*key_templates(rule))})
    return Effect(writes=tuple(writes), changed=changed)


def _put(rule: Rule, key: Template, on: Operation, slots: Slots) -> Iterator[Write]:
    if on is Operation.DELETE:
        yield Delete(key=slots.parts(key, Image.OLD))
        return
    new_key = slots.parts(key, Image.NEW)
    old_key = slots.parts(key, Image.OLD) if on is Operation.UPDATE else None
    ttl_ms = rule.ttl.ms if rule.ttl else None
    if rule.set_:
        value = slots.parts(rule.set_.value, Image.ROW)
        yield PutString(key=new_key, value=value, old_key=old_key, ttl_ms=ttl_ms)
    elif rule.hash_:
        fields = tuple((name.encode(), slots.parts(text, Image.ROW)) for name, text in rule.hash_.fields)
        yield PutHash(key=new_key, fields=fields, old_key=old_key, ttl_ms=ttl_ms)


def _deletes(rule: Rule, on: Operation, slots: Slots) -> Iterator[Write]:
    by_operation = {Operation.INSERT: _on_insert, Operation.UPDATE: _on_update, Operation.DELETE: _on_delete}
    for template in rule.delete or ():
        yield from by_operation[on](rule, template, slots)


def _on_insert(_rule: Rule, template: Template, slots: Slots) -> Iterator[Write]:
    if Image.OLD not in template.images:
        yield Delete(key=slots.parts(template, Image.NEW))


def _on_delete(_rule: Rule, template: Template, slots: Slots) -> Iterator[Write]:
    if Image.NEW not in template.images:
        yield Delete(key=slots.parts(template, Image.OLD))


def _on_update(rule: Rule, template: Template, slots: Slots) -> Iterator[Write]:
    if {Image.OLD, Image.NEW} <= template.images:
        yield Delete(key=slots.parts(template, Image.ROW))
        return
    if Image.OLD not in template.images:
        yield Delete(key=slots.parts(template, Image.NEW))
    if Image.NEW not in template.images and names(template) and OLD_SIDE & set(rule.on):
        # The old key counts where it is another than the new one.
        yield Delete(key=slots.parts(template, Image.OLD), differ=slots.pairs(names(template)))
