"""Fixtures of this folder."""

from tests.zookeepers import zookeeper

__all__ = ["zookeeper"]
