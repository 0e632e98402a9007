"""Packets that real servers sent, scene by scene, in one small file per server."""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hasync.model.position import Flavor, Position

FOLDER = Path(__file__).with_name("corpus")
SCHEMA = "fuzz"
"""The schema that all scenes write to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a server sent from a file's head to its first heartbeat.

    ``checksum``: whether its events carry CRC32 when the dump begins. ``charsets`` and
    ``catalog`` (``schema.table`` → column → declared type): what it said when asked.
    """

    name: str
    flavor: Flavor
    checksum: bool
    start: Position
    charsets: Mapping[int, str]
    catalog: Mapping[str, Mapping[str, str]]
    packets: tuple[bytes, ...]


def save(scenes: Iterable[Scene], flavor: Flavor) -> int:
    """Write a server's scenes; return the file's size."""
    scenes = list(scenes)
    head = {
        "charsets": {str(number): name for number, name in scenes[0].charsets.items()},
        "scenes": [
            {
                "name": scene.name,
                "checksum": scene.checksum,
                "start": scene.start.to_json(),
                "catalog": scene.catalog,
                "sizes": [len(packet) for packet in scene.packets],
            }
            for scene in scenes
        ],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    body = b"".join(packet for scene in scenes for packet in scene.packets)
    path = FOLDER / f"{flavor.value}.packets"
    path.write_bytes(zlib.compress(len(text).to_bytes(4, "little") + text + body, 9))
    return path.stat().st_size


def load(flavor: Flavor) -> list[Scene]:
    """Read a server's scenes."""
    raw = zlib.decompress((FOLDER / f"{flavor.value}.packets").read_bytes())
    at = 4 + int.from_bytes(raw[:4], "little")
    return list(_scenes(json.loads(raw[4:at]), flavor, raw[at:]))


def _scenes(head: dict[str, Any], flavor: Flavor, body: bytes) -> Iterator[Scene]:
    charsets = {int(number): name for number, name in head["charsets"].items()}
    at = 0
    for scene in head["scenes"]:
        packets = []
        for size in scene["sizes"]:
            packets.append(body[at : at + size])
            at += size
        yield Scene(
            name=scene["name"],
            flavor=flavor,
            checksum=scene["checksum"],
            start=Position.from_json(scene["start"]),
            charsets=charsets,
            catalog=scene["catalog"],
            packets=tuple(packets),
        )


def everything() -> list[Scene]:
    """All scenes of both servers, MySQL's first."""
    return [scene for flavor in (Flavor.MYSQL, Flavor.MARIADB) for scene in load(flavor)]
