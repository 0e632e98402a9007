"""Storing config documents: one way for ``apply``, ``edit``, ``set`` and ``rollback``."""

from dataclasses import dataclass, replace

from hasync.cli.invocation import Invocation
from hasync.cli.messages import warn
from hasync.coordination import ConfigStore, RevisionConflict
from hasync.errors import ConfigInvalid, HasyncError
from hasync.model.cluster import ConfigRevision


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A checked document on its way into ZooKeeper.

    ``held``: what it holds, in words. ``based_on``: the revision that it may replace, None
    for whatever is in force.
    """

    document: str
    held: str
    comment: str = ""
    based_on: int | None = None

    def commented(self, comment: str) -> "Draft":
        """Return it with a comment."""
        return replace(self, comment=comment)

    def store(self, call: Invocation, configs: ConfigStore, *, dry_run: bool = False) -> str:
        """Store it unless it is in force already, and say what was done. Raises RevisionConflict."""
        current = in_force(configs)
        if current is not None and current.document == self.document:
            return _unchanged(current)
        revision = self.based_on if self.based_on is not None else (current.revision if current else 0)
        if dry_run:
            return f"would become revision {revision + 1} ({self.held}); nothing is stored"
        try:
            stored = configs.put(self.document, based_on=revision, applied_by=call.operator, comment=self.comment)
        except RevisionConflict:
            current = in_force(configs)
            if current is not None and current.document == self.document:
                return _unchanged(current)
            raise
        return f"revision {stored.revision} is applied ({self.held})"


def _unchanged(current: ConfigRevision) -> str:
    return f"unchanged, revision {current.revision} is the same document"


def in_force(configs: ConfigStore) -> ConfigRevision | None:
    """Return the revision in force; None, with a warning, when somebody has edited the znode by hand."""
    try:
        return configs.get()
    except ConfigInvalid as invalid:
        warn(f"what ZooKeeper holds is no revision and is treated as none: {invalid.message}")
        return None


def kept(configs: ConfigStore, name: str, number: int | None) -> ConfigRevision:
    """Return a revision, the one in force for None. Raises HasyncError when there is none."""
    found = configs.get() if number is None else configs.revision(number)
    if found is None:
        what = "has no config" if number is None else f"has no revision {number}, or does not keep it any more"
        raise HasyncError(f"{name} {what}", hint="'hasync config history' lists what there is")
    return found
