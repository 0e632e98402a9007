"""``python -m hasync.metrics`` prints ``docs/metrics.md``."""

import sys

from hasync.metrics.reference import reference

sys.stdout.write(reference())
