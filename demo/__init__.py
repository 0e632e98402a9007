"""The demo of hasync: real servers, a mixed workload, a killed leader, and an audit of every key."""
