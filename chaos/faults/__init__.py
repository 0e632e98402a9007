"""The faults, each with what it does, how it is undone, and what it may cost."""
