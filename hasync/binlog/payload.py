"""MySQL's compressed transactions: a TRANSACTION_PAYLOAD event, read as the stream of events that is inside.

The format is that of MySQL's ``payload_event``: fields of (type, length, value), each a
length-encoded integer, up to a type 0; behind them the payload. Its events have whole
headers, but neither checksums nor places of their own.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Protocol

from zstandard import ZstdDecompressor, ZstdError

from hasync.binlog.frames import GTIDS, HEADER_BYTES, HEARTBEATS, Event, EventType, lenenc

_END, _SIZE, _COMPRESSION, _UNCOMPRESSED_SIZE = range(4)
_ZSTD, _NONE = 0, 255
_CHUNK_BYTES = 1 << 18
_WINDOW_BYTES = 1 << 27
"""What the highest level asks for (22); a frame that wants more memory is not MySQL's."""

_LARGEST_EVENT_BYTES = 1 << 30
"""``max_allowed_packet`` is no larger."""

_NEVER_INSIDE = GTIDS | HEARTBEATS | {EventType.FORMAT_DESCRIPTION, EventType.ROTATE, EventType.TRANSACTION_PAYLOAD}


def events(outer: Event) -> Iterator[Event]:
    """Yield the events inside, each with the place of ``outer``; never more than one of them is in memory.

    Raises ValueError when the payload is damaged, or holds more or less than it announces.
    """
    stream = _Stream(outer)
    while stream.left_bytes:
        head = stream.exactly(HEADER_BYTES)
        size = int.from_bytes(head[9:13], "little")
        if not HEADER_BYTES <= size <= _LARGEST_EVENT_BYTES:
            raise ValueError(f"payload holds an event of {size} bytes")
        inner = Event(b"\0" + head + stream.exactly(size - HEADER_BYTES), outer.start, checksum=False)
        if inner.type in _NEVER_INSIDE:
            raise ValueError(f"payload holds {inner.name}")
        yield inner.within(outer)
    stream.require_end()


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Stream:
    """The payload's bytes, inflated a chunk at a time."""

    def __init__(self, outer: Event) -> None:
        fields, at = _fields(outer)
        compression = fields.get(_COMPRESSION, _NONE)
        if fields.get(_SIZE) != outer.end - at:
            raise ValueError(f"payload says {fields.get(_SIZE)} bytes, has {outer.end - at}")
        self.left_bytes = fields.get(_UNCOMPRESSED_SIZE, outer.end - at)
        self._source = _opened(compression, memoryview(outer.data)[at : outer.end])
        self._buffer = b""
        self._at = 0

    def exactly(self, size: int) -> bytes:
        """Return the next bytes. Raises ValueError when there are, or may be, less."""
        if size > self.left_bytes:
            raise ValueError(f"an event reaches {size - self.left_bytes} bytes over the payload's end")
        self.left_bytes -= size
        if len(self._buffer) - self._at < size:
            self._fill(size)
        self._at += size
        return self._buffer[self._at - size : self._at]

    def _fill(self, size: int) -> None:
        parts = [self._buffer[self._at :]]
        missing = size - len(parts[0])
        while missing > 0:
            parts.append(self._read())
            missing -= len(parts[-1])
            if not parts[-1]:
                raise ValueError("payload ends before what it announces")
        self._buffer, self._at = b"".join(parts), 0

    def _read(self) -> bytes:
        try:
            return self._source.read(_CHUNK_BYTES)
        except ZstdError as damaged:
            raise ValueError(f"payload cannot be inflated: {damaged}") from damaged

    def require_end(self) -> None:
        """Raise ValueError when more is there than was announced."""
        if self._at < len(self._buffer) or self._read():
            raise ValueError("payload goes on behind what it announces")


def _opened(compression: int, compressed: memoryview) -> _Readable:
    if compression == _NONE:
        return BytesIO(compressed)
    if compression == _ZSTD:
        inflating = ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        return inflating.stream_reader(compressed, read_across_frames=True)
    raise ValueError(f"payload's compression {compression} is not known")


def _fields(outer: Event) -> tuple[dict[int, int], int]:
    """Return the numeric fields and the offset of the payload."""
    data, at = outer.data, outer.at
    fields: dict[int, int] = {}
    while True:
        kind, at = lenenc(data, at)
        if kind == _END:
            return fields, at
        length, at = lenenc(data, at)
        if at + length > outer.end:
            raise ValueError("payload's fields are cut short")
        fields[kind] = lenenc(data, at)[0] if length else 0
        at += length
