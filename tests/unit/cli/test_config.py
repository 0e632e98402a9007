"""``hasync config``: documents are checked before they are stored, and never lost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hasync.coordination import RevisionConflict
from tests.unit.cli.stage import DOCUMENT, NOW, OTHER, STREAM, Stage


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good document."""
    path = tmp_path / "orders.yaml"
    path.write_text(DOCUMENT)
    return path


def test_apply_makes_the_stream_and_its_first_revision(stage: Stage, file: Path) -> None:
    """The document is kept as it was written, with author and comment."""
    answer = stage.run("config", "apply", str(file), "-c", "begin")
    assert answer.exit_code == 0
    assert "revision 1 is applied (1 table, 1 rule)" in answer.stderr
    stored = stage.ports.configs.get()
    assert (stored.document, stored.applied_by, stored.comment) == (DOCUMENT, "ann@here", "begin")


def test_apply_reads_standard_input(stage: Stage) -> None:
    """``-`` is the document that is piped in."""
    assert stage.run("config", "apply", "-", typed=DOCUMENT).exit_code == 0
    assert stage.ports.configs.get().document == DOCUMENT


def test_unchanged_document_is_not_stored_again(stage: Stage, file: Path) -> None:
    """Applying twice makes one revision, so a deployment may apply at each run."""
    stage.run("config", "apply", str(file))
    answer = stage.run("config", "apply", str(file))
    assert answer.exit_code == 0
    assert "unchanged, revision 1" in answer.stderr
    assert len(stage.ports.configs.history()) == 1


def test_several_files_are_named_like_their_streams(stage: Stage, tmp_path: Path) -> None:
    """A hook applies a whole directory, again and again; only what changed becomes a revision."""
    files = [tmp_path / "orders.yaml", tmp_path / "users.yaml"]
    for file in files:
        file.write_text(DOCUMENT)
    words = ("config", "apply", *map(str, files))
    assert stage.run(*words).exit_code == 0
    files[1].write_text(OTHER)
    answer = stage.run(*words)
    assert answer.exit_code == 0
    assert "orders: unchanged, revision 1" in answer.stderr
    assert "users: revision 2 is applied" in answer.stderr
    stored = stage.operator.stream("users").configs.get()
    assert stored is not None
    assert stored.document == OTHER


def test_one_bad_file_of_several_stores_none(stage: Stage, tmp_path: Path) -> None:
    """All are checked before the first is stored."""
    good, bad = tmp_path / "orders.yaml", tmp_path / "users.yaml"
    good.write_text(DOCUMENT)
    bad.write_text("version: 1\n")
    answer = stage.run("config", "apply", str(good), str(bad))
    assert answer.exit_code == 1
    assert str(bad) in answer.stderr
    assert stage.operator.streams.names() == ()


@pytest.mark.parametrize(
    "words", [("-s", "orders", "a.yaml", "b.yaml"), ("a.yaml", "-"), ("a/x.yaml", "b/x.yaml")], ids=" ".join
)
def test_several_files_without_clear_streams_are_wrong_usage(stage: Stage, words: tuple[str, ...]) -> None:
    """Nobody guesses which document belongs to which stream."""
    assert stage.run("config", "apply", *words).exit_code == 2


def test_document_that_another_process_stores_meanwhile_is_unchanged(stage: Stage, file: Path) -> None:
    """Two hooks with the same document: both succeed, and there is one revision."""
    stage.apply(OTHER)
    original = stage.operator.stream

    def stream(name: str) -> Any:
        made = original(name)
        return replace(made, configs=_Overtaken(made.configs))

    stage.operator.stream = stream  # type: ignore[method-assign]
    answer = stage.run("config", "apply", str(file))
    assert answer.exit_code == 0
    assert "unchanged, revision 2" in answer.stderr
    assert len(stage.ports.configs.history()) == 2


class _Overtaken:
    """Configs to which somebody else's put comes first."""

    def __init__(self, configs: Any) -> None:
        self._configs = configs

    def put(self, document: str, **given: Any) -> Any:
        self._configs.put(document, based_on=given["based_on"], applied_by="bob@there")
        return self._configs.put(document, **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._configs, name)


def test_bad_document_is_refused_with_all_its_problems(stage: Stage, file: Path) -> None:
    """Nothing is stored, each problem names path and remedy, and ZooKeeper is not even asked."""
    file.write_text(DOCUMENT.replace("redis:", "reddis:").replace("{id}", "{id"))
    answer = stage.run("config", "apply", str(file))
    assert answer.exit_code == 1
    assert "reddis" in answer.stderr
    assert "did you mean 'redis'?" in answer.stderr
    assert stage.ports.configs.get() is None


@pytest.mark.parametrize("words", [("config", "apply"), ("config", "validate")], ids=" ".join)
def test_single_problem_is_told_once_with_the_files_name(stage: Stage, file: Path, words: tuple[str, str]) -> None:
    """With several files nobody has to guess which one is meant, and no line says what another has said."""
    file.write_text(DOCUMENT + "colour: blue\n")
    answer = stage.run(*words, str(file))
    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[0] == f"error: {file}: 1 problem"
    assert answer.stderr.count("unknown key") == 1


def test_single_problem_of_a_stored_config_is_told_once(stage: Stage) -> None:
    """What another command finds in ZooKeeper is not repeated either."""
    stage.apply(DOCUMENT + "colour: blue\n")
    assert stage.run("position", "show").stderr.count("unknown key") == 1


def test_handler_that_cannot_be_loaded_is_refused(stage: Stage, file: Path) -> None:
    """A config whose code is not here is not stored."""
    file.write_text(DOCUMENT + "  shop.views:\n    - {handler: 'no_such_module:on_view'}\n")
    answer = stage.run("config", "apply", str(file))
    assert answer.exit_code == 1
    assert "no_such_module" in answer.stderr
    assert stage.ports.configs.get() is None


def test_dry_run_checks_and_stores_nothing(stage: Stage, file: Path) -> None:
    """It says what would happen."""
    answer = stage.run("config", "apply", str(file), "--dry-run")
    assert answer.exit_code == 0
    assert "would become revision 1" in answer.stderr
    assert stage.ports.configs.get() is None


def test_apply_based_on_an_older_revision_is_a_conflict(stage: Stage, file: Path) -> None:
    """Two operators cannot overwrite each other unseen."""
    stage.apply(OTHER)
    stage.apply(OTHER + "# more\n")
    answer = stage.run("config", "apply", str(file), "--based-on", "1")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("error: another revision is in force")
    with pytest.raises(RevisionConflict):
        stage.ports.configs.put(DOCUMENT, based_on=1, applied_by="ann@here")


def test_apply_without_a_stream_is_wrong_usage(stage: Stage, file: Path) -> None:
    """Where no stream is named, none is guessed."""
    assert stage.run("config", "apply", str(file), environ={"HASYNC_STREAMS": ""}).exit_code == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_file_that_cannot_be_read_is_an_error(stage: Stage, tmp_path: Path, content: bytes | None) -> None:
    """No such file, no text: one line, no traceback."""
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    answer = stage.run("config", "apply", str(path))
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"error: {path}")


def test_show_prints_the_document_as_it_was_applied(stage: Stage) -> None:
    """Standard output is the document alone, so that it can be applied again."""
    stage.apply()
    answer = stage.run("config", "show")
    assert answer.stdout == DOCUMENT
    assert "revision 1" in answer.stderr


def test_show_prints_an_older_revision_and_its_facts(stage: Stage) -> None:
    """``-o json`` adds who and when."""
    stage.apply()
    stage.apply(OTHER)
    document = stage.json("config", "show", "--revision", "1")
    assert (document["revision"], document["document"], document["applied_by"]) == (1, DOCUMENT, "ann@desk")


@pytest.mark.parametrize("words", [("show", "-r", "9"), ("rollback", "9")], ids=" ".join)
def test_revision_that_is_not_kept_is_an_error(stage: Stage, words: tuple[str, ...]) -> None:
    """It is said where to look for those that are."""
    stage.apply()
    answer = stage.run("config", *words)
    assert answer.exit_code == 1
    assert "no revision 9" in answer.stderr
    assert "config history" in answer.stderr


def test_validate_needs_no_zookeeper(stage: Stage, file: Path) -> None:
    """A document can be checked anywhere."""
    answer = stage.run("config", "validate", str(file))
    assert answer.exit_code == 0
    assert "valid, 1 table, 1 rule" in answer.stderr
    assert stage.operator.streams.names() == ()


def test_validate_exits_with_1_for_a_bad_document(stage: Stage) -> None:
    """CI can rely on the exit code."""
    assert stage.run("config", "validate", "-", typed="version: 1\n").exit_code == 1


def test_diff_shows_what_would_change(stage: Stage, file: Path) -> None:
    """A unified diff from the one in force to the file."""
    stage.apply(OTHER)
    answer = stage.run("config", "diff", str(file))
    assert answer.exit_code == 0
    assert '-    - {set: {key: "order:{id}", value: "{state}"}}' in answer.stdout.splitlines()
    assert '+    - {set: {key: "order:{id}", value: "{total}"}}' in answer.stdout.splitlines()
    assert stage.run("config", "diff", str(file), "--exit-code").exit_code == 1


def test_diff_of_equal_documents_is_empty(stage: Stage, file: Path) -> None:
    """Nothing is printed, and nothing differs."""
    stage.apply()
    answer = stage.run("config", "diff", str(file), "--exit-code")
    assert (answer.exit_code, answer.stdout) == (0, "")


def test_diff_of_a_new_stream_is_the_whole_document(stage: Stage, file: Path) -> None:
    """Everything is new."""
    assert "+version: 1" in stage.run("config", "diff", str(file)).stdout


def test_history_lists_revisions_without_their_documents(stage: Stage) -> None:
    """Newest first, as many as asked for."""
    stage.apply()
    stage.apply(OTHER)
    assert [revision["revision"] for revision in stage.json("config", "history")] == [2, 1]
    assert "document" not in stage.json("config", "history")[0]
    assert len(stage.run("config", "history", "-n", "1").stdout.splitlines()) == 2


def test_rollback_is_a_new_revision_with_the_old_document(stage: Stage) -> None:
    """History is never rewritten."""
    stage.apply()
    stage.apply(OTHER)
    assert (
        "would become revision 3 (the document of revision 1:"
        in stage.run("config", "rollback", "1", "--dry-run").stderr
    )
    assert stage.run("config", "rollback", "1", "--yes").exit_code == 0
    stored = stage.ports.configs.get()
    assert (stored.revision, stored.document, stored.comment) == (3, DOCUMENT, "rollback to revision 1")


def test_rollback_to_the_same_document_stores_nothing(stage: Stage) -> None:
    """Going back to where one is changes nothing."""
    stage.apply()
    assert "unchanged" in stage.run("config", "rollback", "1", "--yes").stderr
    assert stage.ports.configs.get().revision == 1


def test_rollback_to_a_document_that_is_not_valid_any_more_is_refused(stage: Stage) -> None:
    """An old revision is checked like a new one."""
    stage.apply("version: 1\n")
    stage.apply()
    assert stage.run("config", "rollback", "1", "--yes").exit_code == 1
    assert stage.ports.configs.get().revision == 2


def test_schema_is_json(stage: Stage) -> None:
    """It can be given to an editor as it is."""
    schema = json.loads(stage.run("config", "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "tables" in schema["properties"]


def test_moment_of_a_revision_is_in_utc(stage: Stage) -> None:
    """The fake dates its first revision one second after the epoch."""
    stage.apply()
    assert "1970-01-01T00:00:01Z" in stage.run("config", "history").stdout
    assert NOW > 1
    assert STREAM in stage.operator.streams.names()
