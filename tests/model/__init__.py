"""A model of the protocol between members, ZooKeeper and Redis, and a checker that tries every interleaving."""
