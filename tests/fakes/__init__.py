"""Stand-ins in memory for the adapters; each passes the contract tests of its real twin."""
