"""The outcome of one preflight check, as ``hasync doctor`` prints it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at on a server, and what to do when it is not as it should be.

    ``name`` is stable across releases (``redis.role``); ``detail`` says what was found,
    never a secret or a row value. ``warning``: not ``ok``, but the stream may run.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    warning: bool = False
