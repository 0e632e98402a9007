"""What an operator is told to do is there: the commands, their options, and the config's fields."""

import re
from pathlib import Path

import pymysql
import pytest

from hasync.binlog import refusals
from hasync.binlog.connection import translate
from hasync.binlog.frames import REMEDIES, STATEMENT_REMEDY, EventType
from hasync.binlog.rowplan import IMAGE_REMEDY
from hasync.binlog.schematracker import METADATA_REMEDY
from hasync.model.config import BatchConfig

REFERENCE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
RESET = REFERENCE.partition("## `hasync position reset`")[2].partition("\n## ")[0]

MOVES = {
    "statement": STATEMENT_REMEDY,
    "incident": REMEDIES[EventType.INCIDENT],
    "image": IMAGE_REMEDY,
    "metadata": METADATA_REMEDY,
    "no commit": refusals.without_commit("f:4").hint,
    "fewer rows": refusals.fewer_rows("f:4", 1).hint,
    "inside": refusals.inside_from_the_start("f:4").hint,
    "no table map": refusals.without_table_map("f:4").hint,
    "purged": translate(pymysql.err.OperationalError(1236, "Could not find first log file name"), "h").hint,
}


@pytest.mark.parametrize("hint", MOVES.values(), ids=MOVES)
def test_move_of_the_stream_names_the_command(hint: str) -> None:
    """With options that it has."""
    assert "'hasync position reset" in hint
    assert all(f"`{option}`" in RESET for option in re.findall(r"--[\w-]+", hint))


def test_transaction_too_large_for_its_savepoint_names_the_limits() -> None:
    """As the config calls them, with the most that it takes."""
    hint = refusals.handed_over("QUERY at f:4").hint
    most = dict(re.findall(r"batch\.(\w+) \(at most (\d+)\)", hint))
    assert set(most) == set(BatchConfig.model_fields)
    for field, value in most.items():
        assert getattr(BatchConfig(**{field: int(value)}), field) == int(value)
        with pytest.raises(ValueError, match="out of bounds"):
            BatchConfig(**{field: int(value) + 1})


def test_refused_login_names_the_setting_that_an_account_for_tls_alone_needs() -> None:
    """The server says the same of a wrong password, and of an account with REQUIRE SSL that comes without TLS."""
    refused = translate(pymysql.err.OperationalError(1045, "Access denied for user 'h'@'h' (using password: YES)"), "h")
    assert "source.tls" in refused.hint
