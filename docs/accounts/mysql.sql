-- hasync's account on MySQL 8.0, 8.4 and 9. Put your own password, and your networks instead of %.
CREATE USER 'hasync'@'%' IDENTIFIED WITH caching_sha2_password BY 'CHANGE-ME' REQUIRE SSL;

-- Reading the binlog, and asking where it ends. Every schema's changes can be read with it.
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'hasync'@'%';
