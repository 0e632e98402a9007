"""The demo's last line: what was found, in one row that a script can read."""

from dataclasses import dataclass

UNKNOWN = "unknown"


class DemoFailed(Exception):  # noqa: N818 - it is what happened
    """The demo cannot go on; the message is one line for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """What the drill measured.

    ``duration_ms``: from SIGKILL to the first write of the state key under a new epoch,
    None when there was none. ``epoch_before`` and ``epoch_after`` are those of the
    state key before the kill and at the very end; None: never seen.
    """

    duration_ms: int | None = None
    epoch_before: int | None = None
    epoch_after: int | None = None

    @property
    def fault(self) -> str:
        """Why this is not exactly one change of leader; empty when it is."""
        if self.epoch_before is None:
            return "no leader was seen"
        if self.duration_ms is None or self.epoch_after is None:
            return "no standby took over"
        changes = self.epoch_after - self.epoch_before
        return "" if changes == 1 else f"{changes} changes of leader where one fault allows one"

    def __str__(self) -> str:
        """``takeover_ms=… epochs=…``."""
        before, after = (UNKNOWN if epoch is None else epoch for epoch in (self.epoch_before, self.epoch_after))
        duration = UNKNOWN if self.duration_ms is None else self.duration_ms
        return f"takeover_ms={duration} epochs={before}->{after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a run.

    ``rows``: row changes that the workload committed in the database. ``lost``: keys, fields
    and increments that Redis should have and has not. ``doubled``: increments too
    many. ``stale``: keys and fields that hold another value than the database demands, or
    that should be gone. ``trouble``: what stopped the run before its end.
    """

    rows: int = 0
    lost: int = 0
    doubled: int = 0
    stale: int = 0
    takeover: Takeover = Takeover()
    trouble: str = ""

    @property
    def reason(self) -> str:
        """Why the run failed; empty when it passed."""
        if self.trouble:
            return self.trouble
        if self.lost or self.doubled or self.stale:
            return "Redis differs from what the database demands"
        return self.takeover.fault or ("" if self.rows else "the workload committed nothing")

    @property
    def passed(self) -> bool:
        """Whether Redis is exactly what the database demands, after exactly one change of leader."""
        return not self.reason

    def __str__(self) -> str:
        """``demo: PASS rows=… lost=… doubled=… stale=… takeover_ms=… epochs=a->b``, or FAIL with the reason."""
        counts = f"rows={self.rows} lost={self.lost} doubled={self.doubled} stale={self.stale}"
        outcome = "PASS" if self.passed else "FAIL"
        reason = "" if self.passed else f" reason: {self.reason}"
        return f"demo: {outcome} {counts} {self.takeover}{reason}"
