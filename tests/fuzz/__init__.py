"""A fuzz target over binlog packets: recorded ones, mutated, against a parser of our own."""
