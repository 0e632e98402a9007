"""What is written to a server while its packets are recorded: statements, semicolons between them.

Every table has ``id INT`` as its first column, by which the oracle tells rows apart.
"""

from hasync.model.position import Flavor

_TYPES = """
CREATE TABLE t (id INT PRIMARY KEY, i8 TINYINT, u8 TINYINT UNSIGNED, i16 SMALLINT, i24 MEDIUMINT, u24 MEDIUMINT
 UNSIGNED, u32 INT UNSIGNED, i64 BIGINT, u64 BIGINT UNSIGNED, y YEAR, d1 DECIMAL(10,2), d2 DECIMAL(65,30), f FLOAT,
 g DOUBLE, b1 BIT(1), b2 BIT(12), b3 BIT(64), c CHAR(10), c2 CHAR(200), v VARCHAR(50), v2 VARCHAR(500), l VARCHAR(20)
 CHARACTER SET latin1, k VARCHAR(20) CHARACTER SET gbk, x TEXT, n BINARY(4), vb VARBINARY(10), bl BLOB, lb LONGBLOB,
 p POINT, e ENUM('a','b','é'), s SET('r','w','x'), dt DATE, t0 TIME, t3 TIME(3), t6 TIME(6), m0 DATETIME,
 m4 DATETIME(4), s0 TIMESTAMP NULL, s6 TIMESTAMP(6) NULL);
INSERT INTO t VALUES (1,-128,255,-32768,8388607,16777215,4294967295,-9223372036854775808,18446744073709551615,2155,
 -99999999.99,-0.000000000000000000000000000001,1.5,-0.1,b'1',b'101010101010',18446744073709551615,'abc',
 'é漢','é漢','trailing  ','é','漢字','long text',x'01',x'0100','blob',x'00FF',POINT(1,2),'é','r,x','2024-02-29',
 '-01:02:03','-01:02:03.123','838:59:58.999999','2024-01-02 03:04:05','2024-01-02 03:04:05.0607',
 '2024-01-02 03:04:05','2024-01-02 03:04:05.000001'), (2,0,0,0,0,0,0,0,0,1901,0,0,0,0,0,0,0,'','','','','','','','',
 '','','',POINT(0,0),'a','','1000-01-01','00:00:00','00:00:00','00:00:00','1000-01-01','1000-01-01',
 '1970-01-01 00:00:01','1970-01-01 00:00:01');
INSERT INTO t (id) VALUES (3),(4);
UPDATE t SET i8 = 7, v = NULL, x = REPEAT('漢', 100) WHERE id < 4;
UPDATE t SET id = id + 10 WHERE id > 2;
DELETE FROM t WHERE id IN (1, 13)
"""

_SMALL = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50));
INSERT INTO t VALUES (1,'a'),(2,'b'),(3,NULL);
UPDATE t SET v = CONCAT('x', id);
BEGIN; INSERT INTO t VALUES (4,'d'); DELETE FROM t WHERE id = 1; UPDATE t SET id = 5 WHERE id = 4; COMMIT;
DELETE FROM t
"""

_SHAPES = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50)); CREATE TABLE other (id INT PRIMARY KEY, n INT);
INSERT INTO t VALUES (1,'a');
BEGIN; INSERT INTO t VALUES (2,'gone'); ROLLBACK;
BEGIN; INSERT INTO t VALUES (3,'kept'); SAVEPOINT a; INSERT INTO t VALUES (4,'gone'); ROLLBACK TO SAVEPOINT a;
 INSERT INTO t VALUES (5,'kept'); COMMIT;
BEGIN; INSERT INTO t VALUES (6,'kept'); CREATE TEMPORARY TABLE tmp (i INT); SAVEPOINT b;
 INSERT INTO t VALUES (7,'gone'),(8,'gone'); ROLLBACK TO SAVEPOINT b; INSERT INTO t VALUES (9,'kept'); COMMIT;
ALTER TABLE t ADD COLUMN n INT, ADD COLUMN g INT GENERATED ALWAYS AS (id * 2) STORED;
INSERT INTO t (id, v, n) VALUES (10,'x',1),(11,'y',2);
ALTER TABLE t DROP COLUMN v, CHANGE COLUMN n m BIGINT;
UPDATE t SET m = 9;
CREATE TABLE _t_new LIKE t; INSERT INTO _t_new (id, m) SELECT id, m FROM t;
RENAME TABLE t TO _t_old, _t_new TO t;
INSERT INTO t (id, m) VALUES (20, 5);
BEGIN; INSERT INTO t (id, m) VALUES (21, 5); INSERT INTO other VALUES (1, 1); UPDATE t, other SET t.m = 6, other.n = 7
 WHERE t.id = 21; COMMIT;
TRUNCATE TABLE other; DROP TABLE other; DELETE FROM t WHERE id > 5
"""

_BULK = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(2000), w TEXT);
BEGIN; INSERT INTO t WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 60)
 SELECT n, REPEAT(n % 10, 300), IF(n % 3, REPEAT('y', n), NULL) FROM s; COMMIT;
BEGIN; UPDATE t SET w = v WHERE id % 2; DELETE FROM t WHERE id > 20; COMMIT
"""

_JSON = """
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
INSERT INTO t VALUES (1,'null'),(2,'{"b": 1, "a": [1, 2.5, null, {"x": "y"}], "long": 123456789012}'),(3,'[]'),
 (4,'"é\\\\u0001"'),(5,'[32767,32768,-32769,65536,2147483648,4294967296,18446744073709551615,1e300,true,false]'),
 (6, JSON_OBJECT('k', REPEAT('x', 3000), 'n', 70000)), (7, NULL), (8, '{"": {"": {"": []}}}');
UPDATE t SET j = JSON_SET(j, '$.b', 'longer than before') WHERE id = 2;
DELETE FROM t WHERE id > 3
"""

_OPAQUE = """
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
INSERT INTO t VALUES (1, JSON_OBJECT('d', CAST(1.50 AS DECIMAL(10,2)), 't', CAST('-01:02:03.5' AS TIME(6)))),
 (2, JSON_ARRAY(CAST('2024-01-02' AS DATE), CAST('2024-01-02 03:04:05.678' AS DATETIME(3)), x'00FF', b'101', 1.5e0)),
 (3, JSON_OBJECT('k', REPEAT('x', 66000), 'n', 70000, 'm', 1))
"""

_IMAGES = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50), b TEXT, n INT UNSIGNED);
INSERT INTO t VALUES (1,'a','blob',1),(2,'b',NULL,2); INSERT INTO t (id) VALUES (3);
UPDATE t SET n = 4000000000 WHERE id < 3; UPDATE t SET b = 'other'; DELETE FROM t WHERE id > 1
"""

_XA = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50)); INSERT INTO t VALUES (1,'a');
XA START 'one'; INSERT INTO t VALUES (2,'b'); XA END 'one'; XA PREPARE 'one'; XA COMMIT 'one';
XA START 'two'; INSERT INTO t VALUES (3,'c'); XA END 'two'; XA PREPARE 'two'; XA ROLLBACK 'two';
XA START 'three'; INSERT INTO t VALUES (4,'d'); XA END 'three'; XA COMMIT 'three' ONE PHASE;
INSERT INTO t VALUES (5,'e')
"""

_WIDE_COLUMNS = ", ".join(f"c{number} {('INT', 'VARCHAR(9)', 'TINYINT')[number % 3]}" for number in range(300))
_WIDE = f"""
CREATE TABLE t (id INT PRIMARY KEY, {_WIDE_COLUMNS});
INSERT INTO t (id, c0, c1, c299) VALUES (1, 2, 'x', 3), (2, NULL, 'y', 4); UPDATE t SET c298 = 'z', c8 = 1;
DELETE FROM t WHERE id = 2
"""

_STATEMENT = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50)); INSERT INTO t VALUES (1,'a');
SET SESSION binlog_format = 'STATEMENT'; INSERT INTO t VALUES (2,'b'); SET SESSION binlog_format = 'ROW';
INSERT INTO t VALUES (3,'c')
"""

_LONG = """
CREATE TABLE t (id INT PRIMARY KEY, v TEXT);
INSERT INTO t VALUES (1, REPEAT('abc', 200)), (2, REPEAT('x', 900)); INSERT INTO t VALUES (3, 'short');
BEGIN; UPDATE t SET v = REPEAT('y', 700); DELETE FROM t WHERE id = 2; COMMIT; DELETE FROM t
"""

_ROTATION = _SMALL.replace("UPDATE t SET v", "FLUSH BINARY LOGS; UPDATE t SET v", 1)

_BOTH = {
    "types": _TYPES,
    "small": _SMALL,
    "shapes": _SHAPES,
    "bulk": _BULK,
    "json": _JSON,
    "rotation": _ROTATION,
    "types_unchecked": f"SET GLOBAL binlog_checksum = 'NONE'; {_TYPES}",
    "shapes_unchecked": f"SET GLOBAL binlog_checksum = 'NONE'; {_SHAPES}",
    "minimal_image": f"SET SESSION binlog_row_image = 'MINIMAL'; {_IMAGES}",
    "noblob_image": f"SET SESSION binlog_row_image = 'NOBLOB'; {_IMAGES}",
    "minimal_metadata": f"SET GLOBAL binlog_row_metadata = 'MINIMAL'; {_IMAGES}",
    "xa": _XA,
    "wide": _WIDE,
    "statement": _STATEMENT,
}
_MYSQL = {
    "opaque": _OPAQUE,
    "compressed": f"SET SESSION binlog_transaction_compression = ON; {_LONG}",
    "partial_json": f"SET SESSION binlog_row_value_options = 'PARTIAL_JSON'; {_JSON}",
    "tagged": f"SET SESSION gtid_next = 'AUTOMATIC:blue'; {_SMALL}",
    "vector": """CREATE TABLE t (id INT PRIMARY KEY, v VECTOR(3), g GEOMETRY);
        INSERT INTO t VALUES (1, TO_VECTOR('[1, 2.5, -3]'), ST_GeomFromText('LINESTRING(0 0, 1 1)', 4326))""",
}
_MARIADB = {
    "compressed": f"SET GLOBAL log_bin_compress_min_len = 10; SET GLOBAL log_bin_compress = ON; {_LONG}",
    "own_types": """CREATE TABLE t (id INT PRIMARY KEY, u UUID, a INET6, i INET4, n BINARY(16),
            v VARCHAR(300) COMPRESSED, b BLOB COMPRESSED);
        INSERT INTO t VALUES (1, '00112233-4455-6677-8899-aabbccddeeff', '2001:db8::1', '1.2.3.4', x'01',
            REPEAT('é', 200), REPEAT(x'00FF', 300)), (2, NULL, NULL, NULL, NULL, '', x'00')""",
}

SCENES = {Flavor.MYSQL: {**_BOTH, **_MYSQL}, Flavor.MARIADB: {**_BOTH, **_MARIADB}}

CALM = """
SET GLOBAL binlog_checksum = 'CRC32'; SET GLOBAL binlog_row_metadata = 'FULL'
"""
"""What undoes a scene's global settings on both servers."""
CALM_MARIADB = "SET GLOBAL log_bin_compress = OFF"
