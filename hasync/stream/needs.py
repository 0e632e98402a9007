"""Which columns of which image a rule reads: what the source is asked to decode, no more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hasync.model.change import Operation, Table
from hasync.model.rule import Rule
from hasync.model.template import Image, Template
from hasync.stream.handlers import Handler, needed_columns

OLD_SIDE = frozenset({Operation.UPDATE, Operation.DELETE})
"""Operations with a before image."""

NEW_SIDE = frozenset({Operation.INSERT, Operation.UPDATE})
"""Operations with an after image."""


@dataclass(slots=True)
class Needs:
    """The columns that a rule reads, by image."""

    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)

    def add(self, columns: Iterable[str], operations: Iterable[Operation]) -> None:
        """Add columns that are read from every image which these operations have."""
        wanted = set(operations)
        lowered = {column.lower() for column in columns}
        if wanted & OLD_SIDE:
            self.before |= lowered
        if wanted & NEW_SIDE:
            self.after |= lowered


def names(*templates: Template) -> set[str]:
    """Return the columns of all references."""
    return {reference.column for template in templates for reference in template.references}


def needs_of(rule: Rule, table: Table, handlers: Mapping[str, Handler]) -> Needs:
    """Return what this rule reads of the table; the names are not checked yet."""
    needs = Needs()
    if rule.when_changed:
        needs.add([*rule.when_changed, *names(*key_templates(rule))], {Operation.UPDATE})
    if rule.key:
        needs.add(names(rule.key), rule.on)
        for template in value_templates(rule):
            _add_value(template, rule, needs)
    for template in rule.delete or ():
        _add_deleted(template, rule, needs)
    if rule.handler:
        declared = needed_columns(handlers[rule.handler])
        needs.add(declared if declared is not None else [column.name for column in table.columns], rule.on)
    return needs


def _add_value(template: Template, rule: Rule, needs: Needs) -> None:
    if NEW_SIDE & set(rule.on):
        needs.after |= {reference.column for reference in template.references if reference.image is not Image.OLD}
        needs.before |= {reference.column for reference in template.references if reference.image is Image.OLD}


def _add_deleted(template: Template, rule: Rule, needs: Needs) -> None:
    for operation in rule.on:
        if Image.OLD not in template.images:
            needs.add(names(template), {operation} & (NEW_SIDE if Image.NEW in template.images else set(Operation)))
        elif Image.NEW not in template.images:
            needs.add(names(template), {operation} & OLD_SIDE)
        elif operation is Operation.UPDATE:
            needs.before |= {reference.column for reference in template.references if reference.image is Image.OLD}
            needs.after |= {reference.column for reference in template.references if reference.image is not Image.OLD}


def key_templates(rule: Rule) -> tuple[Template, ...]:
    """Return the templates that make the rule's keys."""
    return (rule.key,) if rule.key else rule.delete or ()


def value_templates(rule: Rule) -> tuple[Template, ...]:
    """Return the templates that make what is written."""
    if rule.set_:
        return (rule.set_.value,)
    return tuple(template for _, template in rule.hash_.fields) if rule.hash_ else ()
