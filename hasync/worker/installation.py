"""What this installation of hasync is like; the same on every server it talks to."""

from hasync.binlog.codec import COMPILED
from hasync.logs import Event, Log
from hasync.metrics import Metrics
from hasync.model.check import Check

REMEDY = (
    "use the image or a wheel for this Python and machine; or install a C compiler and Python's headers "
    "(Debian: gcc libc6-dev python3-dev), then 'pip install --force-reinstall --no-deps --no-cache-dir' hasync "
    "without HASYNC_PURE in the environment"
)


def codec_check(*, compiled: bool = COMPILED) -> Check:
    """Say whether the codec runs as machine code. Uncompiled it is right, and many times slower."""
    detail = "the binlog codec is compiled" if compiled else "the binlog codec runs uncompiled, many times slower"
    return Check(name="codec.compiled", ok=compiled, warning=not compiled, detail=detail, remedy=REMEDY)


def report_codec(metrics: Metrics, log: Log, *, compiled: bool = COMPILED) -> None:
    """Show in the metrics whether the codec is compiled, and warn in the log when not. Called once by an instance."""
    metrics.codec(compiled=compiled)
    if not compiled:
        log.warning(Event.UNCOMPILED, hint=REMEDY)
