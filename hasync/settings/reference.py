"""``docs/settings.md``, made from the model."""

from hasync.settings.model import PREFIX, fields, variable
from hasync.settings.problems import OWN_SECRETS, shown
from hasync.settings.sources import SECRETS_DIR, SETTINGS_FILE


def reference() -> str:
    """Return ``docs/settings.md``."""
    lines = [
        "# Settings of an instance",
        "",
        "Made by `python -m hasync.settings`; a test holds it equal to the code.",
        "What a stream does is in its config document in ZooKeeper, see `docs/configuration.md`.",
        "",
        f"Each is a variable, a path in the YAML file that `{SETTINGS_FILE}` or `--settings` names,",
        f"or a file of the variable's name in the directory that `{SECRETS_DIR}` names.",
        "A variable wins over such a file, and that over YAML.",
        f"An unknown `{PREFIX}` variable or file is an error, but `{OWN_SECRETS}…` is yours, for `env:` references.",
        "",
        "| variable | path | default | meaning |",
        "|---|---|---|---|",
    ]
    for path, field in fields():
        default = "" if field.is_required() or field.default is None else f"`{shown(field.default)}`"
        meaning = " ".join((field.description or "").split()).replace("|", "\\|").replace("``", "`")
        lines.append(f"| `{variable(path)}` | `{path}` | {default.replace('``', '')} | {meaning} |")
    return "\n".join(lines) + "\n"
