"""A config's rules, matched with the tables that the binlog shows and compiled for their layouts."""

from collections.abc import Callable, Iterable, Mapping

from hasync.errors import ConfigInvalid, SourceRefused
from hasync.model.change import Table
from hasync.model.config import EmptiedTable, StreamConfig
from hasync.model.names import TablePattern
from hasync.stream.compiler import compile_rules
from hasync.stream.handlers import Handler, load_handler
from hasync.stream.plan import TablePlan

_PLANS_KEPT = 10_000
"""Layouts remembered; a source that makes and drops tables all day must not fill the memory."""


class Rules:
    """Implements :class:`hasync.model.change.Interest` for a config. Immutable but for its memory of plans.

    Raises ConfigInvalid when a handler cannot be loaded in this process.
    """

    def __init__(self, config: StreamConfig, *, load: Callable[[str], Handler] = load_handler) -> None:
        """``load`` turns a handler's address into the function."""
        self.config = config
        addresses = {rule.handler for rules in config.tables.values() for rule in rules if rule.handler}
        self._handlers = _loaded(sorted(addresses), load)
        self._plans: dict[Table, TablePlan | None] = {}

    def select(self, table: Table) -> TablePlan | None:
        """Return the plan for this layout, None when no rule is about the table.

        Raises ConfigInvalid naming table, rule and nearest name when a rule needs a column that the layout lacks.
        """
        try:
            return self._plans[table]
        except KeyError:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[table] = self._compile(table)
            return plan

    def patterns(self) -> tuple[TablePattern, ...]:
        """Return the tables of the config, as it names them."""
        return tuple(map(TablePattern.parse, self.config.tables))

    def emptied(self, schema: str, table: str) -> None:
        """Stop when a statement removed rows of a table with rules, unless the config says to go on.

        Raises SourceRefused: which keys were made of those rows, nobody can tell any more.
        """
        config = self.config
        if config.on_emptied_table is EmptiedTable.CONTINUE or not config.has_rules_for(schema, table):
            return
        raise SourceRefused(
            f"a statement removed rows of {schema}.{table} without row events; their keys are still in Redis",
            hint="delete those keys, then apply the config with on_emptied_table: continue until the stream has passed",
        )

    def _compile(self, table: Table) -> TablePlan | None:
        matched = self.config.rules_for(table.schema, table.name)
        return compile_rules(table, matched, self._handlers) if matched else None


def _loaded(addresses: Iterable[str], load: Callable[[str], Handler]) -> Mapping[str, Handler]:
    handlers: dict[str, Handler] = {}
    problems: list[str] = []
    for address in addresses:
        try:
            handlers[address] = load(address)
        except ConfigInvalid as invalid:
            problems += invalid.problems
    if problems:
        raise ConfigInvalid(f"a rule's handler cannot be used: {problems[0]}", problems=tuple(problems))
    return handlers
