"""UUID, INET6 and INET4 of MariaDB, from the bytes they travel as to the text that ``SELECT`` prints."""

import re

_ZEROS = re.compile(r"(?:^|:)0(?::0)*(?::|$)")


def decode_uuid(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """UUID: 16 bytes, most significant first; trailing zeros are dropped."""
    text = data[at : at + size].ljust(16, b"\0").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()


def decode_inet6(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """INET6: 16 bytes; addresses that hold an IPv4 address show it."""
    raw = data[at : at + size].ljust(16, b"\0")
    v4 = ".".join(map(str, raw[12:]))
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        return f"::ffff:{v4}".encode()
    if not any(raw[:12]) and any(raw[12:14]):
        return f"::{v4}".encode()
    text = ":".join(f"{raw[i] << 8 | raw[i + 1]:x}" for i in range(0, 16, 2))
    # The longest run of zero groups becomes "::", even a run of one, the first of equals.
    longest = max(_ZEROS.finditer(text), key=lambda run: run.group().count("0"), default=None)
    return (text if longest is None else f"{text[: longest.start()]}::{text[longest.end() :]}").encode()


def decode_inet4(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """INET4: four bytes."""
    return ".".join(map(str, data[at : at + size].ljust(4, b"\0"))).encode()
