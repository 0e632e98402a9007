"""The command that moves a stream, as remedies name it."""

RESET = "'hasync position reset --to-file FILE --to-pos N --execute'"
"""To a place that ``mysqlbinlog`` shows, or the message names."""
