"""``python -m hasync.settings`` prints ``docs/settings.md``."""

import sys

from hasync.settings.reference import reference

sys.stdout.write(reference())
