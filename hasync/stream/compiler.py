"""From a table's rules and its layout to a plan that knows each column's place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hasync.errors import ConfigInvalid
from hasync.model.change import Operation, Table
from hasync.model.names import nearest, path_of
from hasync.model.rule import Rule
from hasync.model.template import Image, Reference, Template
from hasync.stream.handlers import Handler, Layout, needed_columns
from hasync.stream.needs import NEW_SIDE, OLD_SIDE, Needs, key_templates, names, needs_of, value_templates
from hasync.stream.plan import TablePlan, may_meet
from hasync.stream.programs import Slots, program_of
from hasync.stream.steps import (
    DeletedKey,
    DeleteStep,
    Difference,
    HandlerStep,
    Keys,
    Put,
    Step,
    WriteStep,
    put_hashes,
    put_strings,
)
from hasync.stream.template import Render, compile_template

Matched = Sequence[tuple[str, int, Rule]]
"""Rules with the pattern and the number they stand at in the config."""


def compile_rules(table: Table, matched: Matched, handlers: Mapping[str, Handler]) -> TablePlan:
    """Return the plan of these rules for this layout.

    Raises ConfigInvalid with every column that a rule needs and the layout lacks.
    """
    compiler = _Compiler(table, handlers)
    compiler.resolve(matched)
    return compiler.plan([rule for _, _, rule in matched])


class _Compiler:
    """Compiles the rules of one table: first all needed columns, then steps that know each column's place."""

    def __init__(self, table: Table, handlers: Mapping[str, Handler]) -> None:
        self._table = table
        self._handlers = handlers
        self._numbers = {column.name.lower(): number for number, column in enumerate(table.columns)}
        self._before: tuple[int, ...] = ()
        self._after: tuple[int, ...] = ()

    def resolve(self, matched: Iterable[tuple[str, int, Rule]]) -> None:
        """Find the columns of all rules. Raises ConfigInvalid with all that are missing."""
        before: set[int] = set()
        after: set[int] = set()
        problems: list[str] = []
        for pattern, number, rule in matched:
            needs = needs_of(rule, self._table, self._handlers)
            problems += self._missing(path_of(("tables", pattern, number)), rule, needs)
            before |= {self._numbers[name] for name in needs.before if name in self._numbers}
            after |= {self._numbers[name] for name in needs.after if name in self._numbers}
        if problems:
            hint = "correct the rule, or make the column"
            raise ConfigInvalid(f"a rule does not fit its table: {problems[0]}", problems=tuple(problems), hint=hint)
        self._before, self._after = tuple(sorted(before)), tuple(sorted(after))

    def _missing(self, path: str, rule: Rule, needs: Needs) -> Iterator[str]:
        who = f"{path} (handler {rule.handler})" if rule.handler else path
        for name in sorted((needs.before | needs.after) - self._numbers.keys()):
            hint = nearest(name, [column.name for column in self._table.columns])
            yield f"{who}: table {self._table.path} has no column {name!r}; {hint}"

    def plan(self, rules: Iterable[Rule]) -> TablePlan:
        """Return the plan of these rules, in order; :meth:`resolve` came first."""
        compiled = [(rule, self._step(rule)) for rule in rules]
        by_row = may_meet([step for _, step in compiled])
        slots = Slots(numbers=self._numbers, before=self._before, after=self._after)
        return TablePlan(
            before=self._before,
            after=self._after,
            steps={on: tuple(step for rule, step in compiled if on in rule.on) for on in Operation},
            by_row=by_row,
            program=program_of([rule for rule, _ in compiled], slots, by_row=by_row),
        )

    def _step(self, rule: Rule) -> Step:
        if rule.handler:
            return self._handler_step(rule, rule.handler)
        return self._write_step(rule, rule.key) if rule.key else self._delete_step(rule)

    def _handler_step(self, rule: Rule, address: str) -> Step:
        declared = needed_columns(self._handlers[address])
        layouts = Layout(self._table, self._before, declared), Layout(self._table, self._after, declared)
        return HandlerStep(address, self._handlers[address], self._table, layouts, self._changed(rule))

    def _write_step(self, rule: Rule, key: Template) -> Step:
        joined = any(Image.OLD in template.images for template in value_templates(rule))
        old_keys = self._keys(key, Image.OLD) if OLD_SIDE & set(rule.on) else Keys.none()
        if not NEW_SIDE & set(rule.on):
            return WriteStep(old_keys, Keys.none(), put_hashes([], None), joined=False, changed=None)
        put = self._put(rule, Image.ROW if joined else Image.NEW)
        return WriteStep(old_keys, self._keys(key, Image.NEW), put, joined=joined, changed=self._changed(rule))

    def _put(self, rule: Rule, rows: Image) -> Put:
        ttl_ms = rule.ttl.ms if rule.ttl else None
        if rule.set_:
            return put_strings(self._render(rule.set_.value, rows), ttl_ms)
        fields = rule.hash_.fields if rule.hash_ else ()
        return put_hashes([(name.encode(), self._render(template, rows)) for name, template in fields], ttl_ms)

    def _delete_step(self, rule: Rule) -> Step:
        templates = rule.delete or ()
        keys = [self._deleted_key(template, set(rule.on)) for template in templates]
        return DeleteStep(keys, tuple(template.prefix for template in templates), self._changed(rule))

    def _deleted_key(self, template: Template, on: set[Operation]) -> DeletedKey:
        old, new = Image.OLD in template.images, Image.NEW in template.images
        if old and new:
            return DeletedKey(joined=self._keys(template, Image.ROW))
        if new:
            keys = self._keys(template, Image.NEW)
            return DeletedKey(on_insert=keys, on_update=keys)
        before = self._keys(template, Image.OLD) if on & OLD_SIDE else None
        after = self._keys(template, Image.NEW) if on & NEW_SIDE and not old else None
        moved = self._difference(names(template)) if Operation.UPDATE in on and names(template) else None
        return DeletedKey(on_insert=after, on_update=after, on_delete=before, moved=moved)

    def _keys(self, template: Template, rows: Image) -> Keys:
        return Keys(self._render(template, rows), template.prefix)

    def _render(self, template: Template, rows: Image) -> Render:
        """Compile for rows that are before images (OLD), after images (NEW), or both joined (ROW)."""

        def place(reference: Reference) -> int:
            number = self._numbers[reference.column]
            if rows is Image.OLD or (rows is Image.ROW and reference.image is Image.OLD):
                return self._before.index(number)
            return self._after.index(number) + (len(self._before) if rows is Image.ROW else 0)

        return compile_template(template, place)

    def _changed(self, rule: Rule) -> Difference | None:
        return self._difference({*rule.when_changed, *names(*key_templates(rule))}) if rule.when_changed else None

    def _difference(self, columns: Iterable[str]) -> Difference:
        numbers = sorted({self._numbers[column.lower()] for column in columns})
        return Difference([(self._before.index(number), self._after.index(number)) for number in numbers])
