"""``hasync config edit``, ``get`` and ``set``: comments stay, nothing typed is lost, nobody is overwritten."""

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hasync.cli.yamlpath import replaced, steps, value_of
from hasync.errors import HasyncError
from tests.unit.cli.stage import DOCUMENT, OTHER, Stage

COMMENTED = DOCUMENT.replace("tables:", "# who reads this: the shop\ntables:")


@pytest.fixture
def editor(tmp_path: Path) -> "Editor":
    """An editor that does what a test tells it."""
    return Editor(tmp_path)


class Editor:
    """Each time it is opened it does the next thing: replaces a text by another one."""

    def __init__(self, directory: Path) -> None:
        self._steps = directory / "steps"
        self._script = directory / "editor.py"
        self._script.write_text(
            "import sys, pathlib\n"
            "steps, file = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
            "first, *rest = steps.read_text().split('\\x00')\n"
            "steps.write_text('\\x00'.join(rest))\n"
            "old, new = first.split('\\x01')\n"
            "file.write_text(file.read_text().replace(old, new))\n"
        )

    def does(self, *changes: tuple[str, str]) -> dict[str, str]:
        """Return the environment of a command whose editor makes these changes, one each time it is opened."""
        self._steps.write_text("\0".join(f"{old}\1{new}" for old, new in changes))
        words = (sys.executable, str(self._script), str(self._steps))
        return {"EDITOR": shlex.join(words), "VISUAL": ""}


def kept(stderr: str) -> Path:
    """Return the file that a message says the text is kept in."""
    found = re.search(r"kept in (\S+\.yaml)", stderr)
    assert found is not None, stderr
    return Path(found[1])


def test_edited_document_is_applied_with_its_comments(stage: Stage, editor: Editor) -> None:
    """The difference is shown, the question answered, the file removed."""
    stage.apply(COMMENTED)
    stage.interactive = True
    answer = stage.run("config", "edit", "-c", "states", typed="y\n", environ=editor.does(("{total}", "{state}")))
    assert answer.exit_code == 0, answer.stderr
    assert '+    - {set: {key: "order:{id}", value: "{state}"}}' in answer.stdout.splitlines()
    stored = stage.ports.configs.get()
    assert (stored.document, stored.comment) == (COMMENTED.replace("{total}", "{state}"), "states")


def test_invalid_text_is_opened_again_with_its_problems(stage: Stage, editor: Editor) -> None:
    """Nothing of it has to be typed twice."""
    stage.apply()
    stage.interactive = True
    changes = editor.does(("redis:", "reddis:"), ("reddis:", "redis:"), ("{total}", "{state}"))
    answer = stage.run("config", "edit", typed="y\ny\n", environ=changes)
    assert "did you mean 'redis'?" in answer.stderr
    assert answer.exit_code == 0
    assert "nothing was changed" in answer.stderr


def test_declined_text_is_kept_and_its_file_named(stage: Stage, editor: Editor) -> None:
    """Whether the text was good or not."""
    stage.apply()
    stage.interactive = True
    for change, typed in ((("{total}", "{state}"), "n\n"), (("redis:", "reddis:"), "n\n")):
        answer = stage.run("config", "edit", typed=typed, environ=editor.does(change))
        assert answer.exit_code == 1
        file = kept(answer.stderr)
        assert change[1] in file.read_text()
        file.unlink()
    assert stage.ports.configs.get().revision == 1


def test_somebody_elses_revision_is_not_overwritten(stage: Stage, editor: Editor) -> None:
    """The edited text is kept, and the way to merge is told."""
    stage.apply()
    original = stage.operator.stream
    stage.operator.stream = lambda name: replace(  # type: ignore[method-assign]
        original(name), configs=_Overtaken(original(name).configs)
    )
    answer = stage.run("config", "edit", "--yes", environ=editor.does(("{total}", "{id}")))
    assert answer.exit_code == 1
    assert "orders is at revision 2 meanwhile" in answer.stderr
    assert "--based-on 2" in answer.stderr
    file = kept(answer.stderr)
    assert file.read_text() == DOCUMENT.replace("{total}", "{id}")
    file.unlink()
    assert stage.ports.configs.get().document == OTHER


class _Overtaken:
    """Configs to which somebody else's put comes first."""

    def __init__(self, configs: Any) -> None:
        self._configs = configs

    def put(self, document: str, **given: Any) -> Any:
        self._configs.put(OTHER, based_on=given["based_on"], applied_by="bob@there")
        return self._configs.put(document, **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._configs, name)


def test_edit_without_a_terminal_is_refused(stage: Stage, editor: Editor) -> None:
    """Unless --yes says that the editor ends by itself."""
    stage.apply()
    environ = editor.does(("{total}", "{state}"))
    assert stage.run("config", "edit", environ=environ).exit_code == 1
    assert stage.run("config", "edit", "--yes", environ=environ).exit_code == 0
    assert stage.ports.configs.get().document == OTHER


def test_editor_that_cannot_be_started_is_an_error(stage: Stage) -> None:
    """The variable to set is named."""
    stage.apply()
    answer = stage.run("config", "edit", "--yes", environ={"VISUAL": "/no/such/editor"})
    assert answer.exit_code == 1
    assert "VISUAL or EDITOR" in answer.stderr


def test_set_changes_one_place_and_keeps_the_rest(stage: Stage) -> None:
    """A new key is added; the difference is shown; the same value again is no revision."""
    stage.apply(COMMENTED)
    answer = stage.run("config", "set", "batch.max_rows=500", "enabled=false")
    assert answer.exit_code == 0, answer.stderr
    document = stage.ports.configs.get().document
    assert document == COMMENTED + "batch: {max_rows: 500}\nenabled: false\n"
    assert stage.ports.configs.get().comment == "batch.max_rows=500 enabled=false"
    assert "unchanged, revision 2" in stage.run("config", "set", "batch.max_rows=500").stderr
    assert "+batch: {max_rows: 500}" in answer.stdout


def test_set_of_a_wrong_value_stores_nothing(stage: Stage) -> None:
    """It is checked like any document; --dry-run stores nothing either."""
    stage.apply()
    assert stage.run("config", "set", "batch.max_rows=many").exit_code == 1
    assert stage.run("config", "set", "batch.max_rows=500", "--dry-run").exit_code == 0
    assert stage.run("config", "set", "batch").exit_code == 2
    assert stage.ports.configs.get().revision == 1


def test_get_prints_what_is_written(stage: Stage) -> None:
    """A value as it is, more as YAML or JSON; a mistyped key is answered with the nearest."""
    stage.apply()
    assert stage.run("config", "get", "source.user").stdout == "hasync\n"
    assert stage.json("config", "get", "tables[shop.orders][0].set.value") == "{total}"
    answer = stage.run("config", "get", "sorce.user")
    assert answer.exit_code == 1
    assert "did you mean 'source'?" in answer.stderr


@pytest.mark.parametrize(
    ("document", "path", "text", "after"),
    [
        ("a: 1 # one\nb: 2\n", "a", "3", "a: 3 # one\nb: 2\n"),
        ("a:\n  b: 1  # b\n\nc: 2\n", "a.d", "x", "a:\n  b: 1  # b\n  d: x\n\nc: 2\n"),
        ("a: {b: 1}\n", "a.c", "[x]", "a: {b: 1, c: [x]}\n"),
        ("a:\n  - b: 1\n  - c: 2\n", "a[1].c", "'z'", "a:\n  - b: 1\n  - c: 'z'\n"),
        ("a.b:\n  c: 1\n", "[a.b].c", "2", "a.b:\n  c: 2\n"),
        ("a: 1", "b.c", "2", "a: 1\nb: {c: 2}"),
        ("a: |\n  text\nb: 1\n", "a", "x", "a: x\nb: 1\n"),
    ],
)
def test_value_is_replaced_in_the_text(document: str, path: str, text: str, after: str) -> None:
    """Flow and block style, lists, names with dots, keys that are missing."""
    assert replaced(document, path, text) == after


@pytest.mark.parametrize("path", ["", "..", "a[", "[]"])
def test_wrong_path_is_refused(path: str) -> None:
    """With what a path looks like."""
    with pytest.raises(HasyncError):
        value_of("a: {}\n", path)


def test_path_splits_at_dots_and_brackets() -> None:
    """Brackets are for names with dots and for places in a list."""
    assert steps("tables[shop.orders][0].ttl") == ["tables", "shop.orders", "0", "ttl"]
