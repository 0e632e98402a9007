"""How fast hasync moves rows from a binlog to Redis, beside the library that it builds on."""
