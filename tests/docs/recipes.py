"""The cookbook's recipes, lifted from the page, and a kitchen that cooks them on real servers.

A recipe is a section of docs/cookbook.md. Its blocks, in order: ``sql`` (the tables), ``yaml`` (the rules),
perhaps ``python`` (handlers; the first line names the file), and then any number of changes: ``sql`` (one
transaction), ``redis`` (exactly the commands that hasync sends for it), ``redis-cli`` (look-ups after it).
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.docs.pages import Block, Page

NOTHING = "(nothing)"
TTL_TOLERANCE_S = 30
_REPLY = re.compile(r"\(integer\) (\d+)")


@dataclass(slots=True, kw_only=True)
class Change:
    """One transaction, and what the page says comes of it."""

    sql: str
    commands: str = ""
    looks: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Recipe:
    """One section."""

    title: str
    number: int
    tables: str
    rules: str
    files: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @property
    def stream(self) -> str:
        """A name for its stream."""
        return f"recipe-{self.number}"

    def document(self, *, source: str, user: str, redis: str) -> str:
        """Return the whole config: the page's rules under these servers."""
        return (
            f'version: 1\nsource: {{hosts: ["{source}"], user: {user}, password: "env:MYSQL_PASSWORD"}}\n'
            f'redis: {{url: "redis://{redis}/{self.number}"}}\n{self.rules}'
        )


def recipes(page: Page) -> list[Recipe]:
    """Return the page's recipes. Raises AssertionError where a section is not shaped as one."""
    sections: dict[str, list[Block]] = {}
    for block in page.blocks:
        sections.setdefault(block.heading, []).append(block)
    shaped = [blocks for blocks in sections.values() if [block.language for block in blocks[:2]] == ["sql", "yaml"]]
    return [_recipe(number, blocks) for number, blocks in enumerate(shaped, 1)]


def _recipe(number: int, blocks: list[Block]) -> Recipe:
    tables, rules, *rest = blocks
    recipe = Recipe(title=tables.heading, number=number, tables=tables.text, rules=rules.text)
    for block in rest:
        where = f"{recipe.title}, line {block.line}"
        if block.language == "python":
            first, _, _ = block.text.partition("\n")
            assert re.fullmatch(r"# [\w/]+\.py", first), f"{where}: the first line names the file"
            recipe.files[first[2:]] = block.text
        elif block.language == "sql":
            recipe.changes.append(Change(sql=one_transaction(block.text, where)))
        elif block.language == "redis":
            recipe.changes[-1].commands = block.text.strip()
            assert recipe.changes[-1].commands, f"{where}: an empty block; write {NOTHING}"
        elif block.language == "redis-cli":
            recipe.changes[-1].looks += _looks(block.text, where)
        else:
            raise AssertionError(f"{where}: a recipe has no block of {block.language!r}")
    assert recipe.changes, f"{recipe.title}: no change"
    return recipe


def one_transaction(sql: str, where: str) -> str:
    """Return the text if it is one transaction: more of them could reach Redis together, and commands would merge."""
    statements = [part.strip() for part in sql.split(";\n") if part.strip()]
    whole = len(statements) == 1 or (statements[0], statements[-1]) == ("BEGIN", "COMMIT")
    assert whole, f"{where}: more than one transaction"
    return sql


def _looks(text: str, where: str) -> Iterator[tuple[str, str]]:
    assert text.startswith("> "), f"{where}: a look-up begins with '> '"
    for part in text.removeprefix("> ").split("\n> "):
        command, _, reply = part.partition("\n")
        yield command, reply.rstrip("\n")


def rendered(words: list[bytes]) -> str:
    """Return a command as the page shows it: plain words, others in quotes as redis-cli prints them."""
    return " ".join(map(_word, words))


def _word(word: bytes) -> str:
    text = "".join(map(_shown, word.decode("utf-8", "surrogateescape")))
    if re.fullmatch(r"[^\s\"'\\]+", text):
        return text
    if "'" not in text and "\\" not in text:
        return f"'{text}'" if '"' in text else f'"{text}"'
    return '"' + text.replace('"', r"\"") + '"'


def _shown(character: str) -> str:
    """Escape what is not text: controls, and bytes that are no UTF-8."""
    code = ord(character)
    return f"\\x{code & 0xFF:02x}" if code < 0x20 or code == 0x7F or 0xDC80 <= code <= 0xDCFF else character


def look(command: str, *, port: int, database: int) -> str:
    """Return what redis-cli prints."""
    done = subprocess.run(
        ["redis-cli", "--no-raw", "-p", str(port), "-n", str(database)],
        input=command + "\n",
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout.strip("\n")


def same_reply(command: str, shown: str, seen: str) -> bool:
    """Whether the page shows what was seen; remaining lifetimes may have run down a little."""
    if shown == seen:
        return True
    wanted, found = _REPLY.fullmatch(shown), _REPLY.fullmatch(seen)
    runs_down = command.upper().startswith("TTL ") and wanted and found
    return bool(runs_down) and 0 <= int(wanted[1]) - int(found[1]) <= TTL_TOLERANCE_S  # type: ignore[index]
