"""Changes to packets: in their bytes, in their order; each drawn from one seeded source of chance."""

import random
from collections.abc import Callable, Sequence

from tests.fuzz.corpus import Scene
from tests.fuzz.wire import HEADER_BYTES, checked, laid_out, sealed, sized

_EDGES = (0, 1, 2, 3, 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF)
_LONG_EDGES = (0, 1, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_KINDS = (2, 3, 4, 13, 14, 15, 16, 19, 20, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 38, 39, 40, 41, 42)
_MARIADB_KINDS = tuple(range(160, 172))

Packets = list[bytes]


def _pick(dice: random.Random, packets: Packets) -> int:
    return dice.randrange(len(packets))


def _body(dice: random.Random, packet: bytes) -> int:
    """Return an offset, mostly behind the header, more often near its start, where lengths are."""
    if len(packet) <= HEADER_BYTES or dice.random() < 0.1:
        return dice.randrange(1, max(2, len(packet)))
    reach = len(packet) - HEADER_BYTES
    return HEADER_BYTES + (dice.randrange(min(40, reach)) if dice.random() < 0.5 else dice.randrange(reach))


def _overwritten(packet: bytes, at: int, piece: bytes) -> bytes:
    return packet[:at] + piece[: len(packet) - at] + packet[at + len(piece) :]


def _flip(dice: random.Random, packets: Packets) -> str:
    number = _pick(dice, packets)
    changed = bytearray(packets[number])
    places = [_body(dice, packets[number]) for _ in range(dice.choice((1, 1, 1, 2, 8)))]
    for at in places:
        changed[min(at, len(changed) - 1)] ^= 1 << dice.randrange(8)
    packets[number] = bytes(changed)
    return f"flip bits of packet {number} at {places}"


def _byte(dice: random.Random, packets: Packets) -> str:
    number, value = _pick(dice, packets), dice.choice(_EDGES)
    at = _body(dice, packets[number])
    packets[number] = _overwritten(packets[number], at, bytes((value,)))
    return f"set byte {at} of packet {number} to {value}"


def _length(dice: random.Random, packets: Packets) -> str:
    number, width, value = _pick(dice, packets), dice.choice((2, 3, 4, 8)), dice.choice(_LONG_EDGES)
    at = _body(dice, packets[number])
    piece = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    packets[number] = _overwritten(packets[number], at, piece)
    return f"set {width} bytes at {at} of packet {number} to {value}"


def _nudge(dice: random.Random, packets: Packets) -> str:
    number, step = _pick(dice, packets), dice.choice((-2, -1, 1, 2, 8))
    at = min(_body(dice, packets[number]), len(packets[number]) - 1)
    packets[number] = _overwritten(packets[number], at, bytes((packets[number][at] + step & 0xFF,)))
    return f"add {step} to byte {at} of packet {number}"


def _truncate(dice: random.Random, packets: Packets) -> str:
    number = _pick(dice, packets)
    size = dice.randrange(len(packets[number])) if dice.random() < 0.5 else max(1, len(packets[number]) - 5)
    packets[number] = packets[number][: max(1, size)]
    return f"cut packet {number} to {size} bytes"


def _extend(dice: random.Random, packets: Packets) -> str:
    number, more = _pick(dice, packets), dice.randbytes(dice.choice((1, 4, 30)))
    at = dice.choice((len(packets[number]), max(0, len(packets[number]) - 4), _body(dice, packets[number])))
    packets[number] = packets[number][:at] + more + packets[number][at:]
    return f"put {len(more)} bytes into packet {number} at {at}"


def _remove(dice: random.Random, packets: Packets) -> str:
    number, size = _pick(dice, packets), dice.choice((1, 2, 4, 16))
    at = _body(dice, packets[number])
    packets[number] = (packets[number][:at] + packets[number][at + size :]) or b"\0"
    return f"take {size} bytes out of packet {number} at {at}"


def _splice(dice: random.Random, packets: Packets) -> str:
    number, other = _pick(dice, packets), _pick(dice, packets)
    at, from_ = _body(dice, packets[number]), _body(dice, packets[other])
    packets[number] = packets[number][:at] + packets[other][from_:]
    return f"packet {number} goes on at {at} with packet {other} from {from_}"


def _kind(dice: random.Random, packets: Packets) -> str:
    number = _pick(dice, packets)
    kind = dice.choice((*_KINDS, *_MARIADB_KINDS, dice.randrange(256)))
    packets[number] = _overwritten(packets[number], 5, bytes((kind,)))
    return f"packet {number} becomes type {kind}"


def _place(dice: random.Random, packets: Packets) -> str:
    number = _pick(dice, packets)
    was = int.from_bytes(packets[number][14:18], "little")
    now = dice.choice((0, was + 1, was - 1, was + 1000, was - 100, 0xFFFFFFFF, dice.randrange(1 << 32))) & 0xFFFFFFFF
    packets[number] = _overwritten(packets[number], 14, now.to_bytes(4, "little"))
    return f"packet {number} ends at {now} instead of {was}"


def _flags(dice: random.Random, packets: Packets) -> str:
    number, flag = _pick(dice, packets), 1 << dice.randrange(9)
    was = int.from_bytes(packets[number][18:20], "little")
    packets[number] = _overwritten(packets[number], 18, (was ^ flag).to_bytes(2, "little"))
    return f"flip flag {flag:#x} of packet {number}"


def _drop(dice: random.Random, packets: Packets) -> str:
    number = _pick(dice, packets)
    size = min(dice.choice((1, 1, 1, 2, 5)), len(packets) - 1)
    del packets[number : number + size]
    return f"drop {size} packets from {number}"


def _repeat(dice: random.Random, packets: Packets) -> str:
    number, size = _pick(dice, packets), dice.choice((1, 1, 1, 2, 5))
    packets[number:number] = packets[number : number + size]
    return f"repeat {size} packets from {number}"


def _swap(dice: random.Random, packets: Packets) -> str:
    number = _pick(dice, packets)
    other = min(len(packets) - 1, number + dice.choice((1, 1, 2, 5)))
    packets[number], packets[other] = packets[other], packets[number]
    return f"swap packets {number} and {other}"


def _move(dice: random.Random, packets: Packets) -> str:
    number, to = _pick(dice, packets), _pick(dice, packets)
    packets.insert(to, packets.pop(number))
    return f"move packet {number} to {to}"


def _end(dice: random.Random, packets: Packets) -> str:
    number = _pick(dice, packets)
    del packets[number + 1 :]
    return f"end behind packet {number}"


_BYTES: Sequence[Callable[[random.Random, Packets], str]] = (
    *(_flip, _flip, _byte, _byte, _length, _length, _nudge, _nudge),
    *(_truncate, _extend, _remove, _splice, _kind, _place, _flags),
)
_ORDER: Sequence[Callable[[random.Random, Packets], str]] = (_drop, _drop, _repeat, _swap, _move, _end)


def mutated(scene: Scene, dice: random.Random) -> tuple[Packets, list[str]]:
    """Return a scene's packets changed, and in words how; now and then unchanged."""
    packets = list(scene.packets)
    times = dice.choice((0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 6))
    story = [dice.choice(_ORDER if dice.random() < 0.35 else _BYTES)(dice, packets) for _ in range(times)]
    return _mended(packets, scene, dice, story), story


def _mended(packets: Packets, scene: Scene, dice: random.Random, story: list[str]) -> Packets:
    """Mend sizes, places and checksums, mostly: else the frame alone would give every mutation away."""
    if not story:
        return packets
    if dice.random() < 0.85:
        packets = [sized(packet) for packet in packets]
        story.append("sizes mended")
    if dice.random() < 0.5:
        packets = laid_out(packets)
        story.append("places mended")
    if dice.random() < 0.9:
        packets = [sealed(packet) if crc else packet for packet, crc in checked(packets, scene.checksum)]
        story.append("checksums mended")
    return packets
