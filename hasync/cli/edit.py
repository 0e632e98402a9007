"""``hasync config edit``: the document in an editor, until it is good; what was typed is never lost."""

import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import typer

from hasync.cli import difference
from hasync.cli.documents import checked, read, size
from hasync.cli.invocation import Invocation
from hasync.cli.messages import explain, say
from hasync.cli.revisions import Draft
from hasync.coordination import ConfigStore, RevisionConflict
from hasync.errors import ConfigInvalid, HasyncError
from hasync.model.cluster import ConfigRevision

FALLBACK: Final = "vi"


class Desk:
    """One document being edited."""

    def __init__(self, call: Invocation, name: str, current: ConfigRevision) -> None:
        """Lay the document into a file of its own, which only this user may read."""
        self._call = call
        self._name = name
        self._current = current
        handle, path = tempfile.mkstemp(prefix=f"hasync-{name}-{current.revision}-", suffix=".yaml")
        self.path = Path(path)
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - the descriptor is open already
            file.write(current.document)

    def edited(self) -> Draft | None:
        """Have it edited until it is good; None when nothing was changed. Raises HasyncError, and keeps the file."""
        while True:
            self._open()
            document = read(str(self.path))
            if document == self._current.document:
                return None
            try:
                return Draft(
                    document=document, held=size(checked(document, "your text")), based_on=self._current.revision
                )
            except ConfigInvalid as invalid:
                explain(invalid)
                self._ask("Edit it again?", why="it is not valid")

    def agreed(self, draft: Draft, *, yes: bool) -> None:
        """Show what would change, and ask. Raises HasyncError, and keeps the file."""
        label = f"{self._name} revision {self._current.revision}"
        difference.show(self._current.document, draft.document, old=label, new="your text")
        if not yes:
            self._ask("Apply this?", why="declined")

    def stored(self, draft: Draft, configs: ConfigStore) -> str:
        """Store it if nobody else has applied another one meanwhile. Raises HasyncError, and keeps the file."""
        try:
            done = draft.store(self._call, configs)
        except RevisionConflict as conflict:
            newest = conflict.current
            raise HasyncError(
                f"{self._name} is at revision {newest} meanwhile, by somebody else; your text is kept in {self.path}",
                hint=f"'hasync config diff -s {self._name} {self.path}', merge, then "
                f"'hasync config apply -s {self._name} --based-on {newest} {self.path}'",
            ) from conflict
        except HasyncError as failed:
            raise HasyncError(f"{failed.message}; your text is kept in {self.path}", hint=failed.hint) from failed
        self.discard()
        return done

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def _open(self) -> None:
        environ = self._call.outside.environ
        editor = environ.get("VISUAL") or environ.get("EDITOR") or FALLBACK
        try:
            done = subprocess.run([*shlex.split(editor), str(self.path)], check=False)
        except OSError as error:
            self.discard()
            raise HasyncError(
                f"the editor {editor!r} cannot be started: {error.strerror}", hint="set VISUAL or EDITOR"
            ) from error
        if done.returncode:
            raise self._kept(f"the editor {editor!r} ended with {done.returncode}")

    def _ask(self, question: str, *, why: str) -> None:
        if not self._call.outside.interactive or not typer.confirm(question, err=True):
            raise self._kept(why)

    def _kept(self, why: str) -> HasyncError:
        command = f"hasync config apply -s {self._name} --based-on {self._current.revision} {self.path}"
        return HasyncError(
            f"{why}, nothing is stored; your text is kept in {self.path}", hint=f"'{command}' takes it as it is"
        )


def edit(
    call: Invocation, configs: ConfigStore, name: str, current: ConfigRevision, *, comment: str, yes: bool
) -> None:
    """Do it all. Raises HasyncError."""
    desk = Desk(call, name, current)
    draft = desk.edited()
    if draft is None:
        desk.discard()
        say(f"{name}: nothing was changed")
        return
    desk.agreed(draft, yes=yes)
    say(f"{name}: {desk.stored(draft.commented(comment), configs)}")
