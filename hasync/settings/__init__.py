"""Settings of one instance: who it is, where ZooKeeper is, how long it waits.

What a *stream* does is not here but in its config document in ZooKeeper, so that all
instances agree on it. Three places are read, the later wins: a YAML file
(``HASYNC_SETTINGS_FILE``), a directory of files (``HASYNC_SECRETS_DIR``), the
environment (``HASYNC_HTTP__PORT`` is ``http.port``).

:mod:`hasync.settings.sources` is the only module that reads the environment; all
others are given values. ``python -m hasync.settings`` prints ``docs/settings.md``.
"""

from hasync.settings.model import Http, Log, Name, Reference, Retry, Settings, Zookeeper, ZookeeperTls
from hasync.settings.sources import SECRETS_DIR, SETTINGS_FILE, environment, load

__all__ = [
    "SECRETS_DIR",
    "SETTINGS_FILE",
    "Http",
    "Log",
    "Name",
    "Reference",
    "Retry",
    "Settings",
    "Zookeeper",
    "ZookeeperTls",
    "environment",
    "load",
]
