"""A plan of drills: a YAML file with a sequence, and what each may cost. Pure."""

from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from hasync.drill.kinds import DrillKind
from hasync.drill.verdict import Budgets
from hasync.errors import ConfigInvalid
from hasync.model.drill import LONGEST_S
from hasync.model.duration import Duration
from hasync.model.names import Fault, nearest

TIMES: Final = {"max_gap": "max_gap_s", "max_lag": "max_lag_s"}
NUMBERS: Final = ("max_epochs", "max_lost", "max_doubled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One drill of a plan. ``for_s``: 0 where it does not last."""

    kind: DrillKind
    for_s: float
    budgets: Budgets


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sequence of drills. ``stream``: empty where the command names it; ``pause_s``: rest between two."""

    steps: tuple[Step, ...]
    stream: str = ""
    pause_s: float = 5.0


def parse(text: str, budgets: Budgets) -> Plan:
    """Read a plan; ``budgets``: of the command line, which the file's own replace. Raises ConfigInvalid."""
    problems: list[str] = []
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigInvalid("the plan is not YAML", problems=(str(error),)) from error
    if not isinstance(document, dict):
        raise ConfigInvalid("the plan is not a mapping", hint="write 'drills:' and a list of drills under it")
    _known(document, ("stream", "pause", "budgets", "drills"), "plan", problems)
    common = _budgets(document.get("budgets"), budgets, "budgets", problems)
    drills = document.get("drills")
    if not isinstance(drills, list) or not drills:
        problems.append("drills: is no list of drills; write '- crash-leader' or '- {drill: freeze-leader, for: 3s}'")
        drills = []
    steps = [_step(entry, common, f"drills.{number}", problems) for number, entry in enumerate(drills)]
    pause_s = _seconds(document.get("pause", 5), "pause", problems)
    if problems:
        raise ConfigInvalid("the plan is wrong", problems=tuple(problems), hint="see docs/drills.md")
    return Plan(steps=tuple(step for step in steps if step), stream=str(document.get("stream") or ""), pause_s=pause_s)


def _step(entry: Any, common: Budgets, path: str, problems: list[str]) -> Step | None:
    fields = {"drill": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, dict):
        problems.append(f"{path}: is neither a drill's name nor a mapping")
        return None
    _known(fields, ("drill", "for", "budgets"), path, problems)
    budgets = _budgets(fields.get("budgets"), common, f"{path}.budgets", problems)
    name = fields.get("drill")
    if name not in list(DrillKind):
        hint = nearest(str(name), [kind.value for kind in DrillKind])
        problems.append(f"{path}.drill: {name!r} is no drill; {hint}")
        return None
    kind = DrillKind(name)
    for_s = _seconds(fields["for"], f"{path}.for", problems) if "for" in fields else 0.0
    problems += [f"{path}.for: {problem}" for problem in lasting(kind, for_s)]
    return Step(kind=kind, for_s=for_s, budgets=budgets)


def lasting(kind: DrillKind, for_s: float) -> tuple[str, ...]:
    """Say what is wrong with how long a drill is to last; nothing when it is right."""
    if kind.lasts and not for_s:
        return (f"{kind.value} needs to be told for how long, such as 3s",)
    if for_s and not kind.lasts:
        return (f"{kind.value} does not last; leave it out",)
    if for_s > LONGEST_S:
        return (f"{for_s:g} s is more than {LONGEST_S:g} s",)
    return ()


def _budgets(given: Any, common: Budgets, path: str, problems: list[str]) -> Budgets:
    if given is None:
        return common
    if not isinstance(given, dict):
        problems.append(f"{path}: is no mapping")
        return common
    _known(given, (*TIMES, *NUMBERS), path, problems)
    changes: dict[str, Any] = {
        field: _seconds(given[name], f"{path}.{name}", problems) for name, field in TIMES.items() if name in given
    }
    for name in NUMBERS:
        value = given.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            problems.append(f"{path}.{name}: {value!r} is no whole number from 0 up")
        elif name in given:
            changes[name] = value
    return replace(common, **changes)


def _seconds(value: Any, path: str, problems: list[str]) -> float:
    try:
        return Duration.parse(value).seconds
    except Fault as fault:
        problems.append(f"{path}: {value!r}: {fault}")
        return 0.0


def _known(given: dict[Any, Any], known: tuple[str, ...], path: str, problems: list[str]) -> None:
    problems += [f"{path}: {name!r} is unknown; {nearest(str(name), known)}" for name in given if name not in known]
