-- hasync's account on MariaDB 10.6 and later. Put your own password, and your networks instead of %.
CREATE USER 'hasync'@'%' IDENTIFIED BY 'CHANGE-ME' REQUIRE SSL;

-- Reading the binlog, and asking where it ends. Every schema's changes can be read with it.
GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'hasync'@'%';
