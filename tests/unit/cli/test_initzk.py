"""``hasync init-zk``: what is said of the tree, and the exit code."""

import pytest

from hasync.model.provision import Provisioned, ZnodeState
from tests.unit.cli.stage import STREAM, Stage


def znode(state: ZnodeState, detail: str = "") -> Provisioned:
    """Return what became of the root."""
    return Provisioned(path="/hasync", state=state, detail=detail)


@pytest.mark.parametrize("state", [ZnodeState.CREATED, ZnodeState.PRESENT, ZnodeState.MISSING, ZnodeState.FIXED])
def test_tree_as_it_should_be_exits_with_0(stage: Stage, state: ZnodeState) -> None:
    """Each znode is a line, the sum is a message."""
    stage.tree = (znode(state),)
    answer = stage.run("init-zk")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[1].split() == [state.value, "/hasync", "-"]
    assert answer.stderr == f"/hasync: 1 {state.value}\n"


def test_other_acl_exits_with_1_and_names_the_remedy(stage: Stage) -> None:
    """A hook that finds an open tree fails instead of saying so in a log that nobody reads."""
    stage.tree = (znode(ZnodeState.DIFFERS, "open: world:anyone cdrwa"),)
    answer = stage.run("init-zk")
    assert answer.exit_code == 1
    assert "world:anyone" in answer.stdout
    assert "--fix-acl" in answer.stderr
    assert stage.run("init-zk", "-o", "json").exit_code == 1


def test_streams_come_from_the_option_or_the_settings(stage: Stage) -> None:
    """``--dry-run`` executes nothing, ``--fix-acl`` is passed on."""
    stage.run("init-zk")
    stage.run("init-zk", "-s", "a", "-s", "b", "--fix-acl", "--dry-run")
    assert stage.provisions == [((STREAM,), True, False), (("a", "b"), False, True)]


def test_json_says_whether_all_is_well(stage: Stage) -> None:
    """A program need not look at each znode."""
    stage.tree = (znode(ZnodeState.PRESENT),)
    assert stage.json("init-zk") == {
        "root": "/hasync",
        "dry_run": False,
        "ok": True,
        "znodes": [{"path": "/hasync", "state": "present", "detail": ""}],
    }
