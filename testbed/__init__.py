"""Throw-away servers for tests and the demo: MySQL, MariaDB, Redis, ZooKeeper, and a proxy that breaks connections.

Every server listens on a free loopback port, lives in a directory that is removed at the end, and dies with the
process that started it, however that process ends.  `scripts/setup.sh` installs the programs once.
"""

from testbed.bed import DATABASES, DatabaseName, Testbed
from testbed.certificates import Authority, Certificate
from testbed.mariadb import MariaDb
from testbed.mysql import MySql
from testbed.ports import HOST, PortLease
from testbed.processes import Process
from testbed.proxy import Proxy
from testbed.redis import Redis, Sentinel
from testbed.servers import Server, StartError
from testbed.sql import Options, SqlServer
from testbed.trees import MissingError
from testbed.waiting import DeadlineError, wait_until
from testbed.workdirs import workdir
from testbed.zookeeper import Ensemble, ZooKeeper

__all__ = [
    "DATABASES",
    "HOST",
    "Authority",
    "Certificate",
    "DatabaseName",
    "DeadlineError",
    "Ensemble",
    "MariaDb",
    "MissingError",
    "MySql",
    "Options",
    "PortLease",
    "Process",
    "Proxy",
    "Redis",
    "Sentinel",
    "Server",
    "SqlServer",
    "StartError",
    "Testbed",
    "ZooKeeper",
    "wait_until",
    "workdir",
]
