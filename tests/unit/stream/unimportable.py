"""A module that raises while it is imported, as a handler's package may."""

LIMIT = 1 // 0
