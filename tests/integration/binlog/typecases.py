"""Column types and values at their edges: what is written, as SQL. :mod:`test_types` holds it against SELECT."""

import json

Case = tuple[str, list[str]]
"""A column's definition, and the expressions that are inserted into it."""


def decimals(digits: int, scale: int) -> list[str]:
    """Return the largest, the smallest and the least values of a DECIMAL."""
    nines = "9" * digits
    most = f"{nines[scale:] or '0'}.{nines[:scale]}" if scale else nines
    least = f"0.{'1':0>{scale}}" if scale else "1"
    return ["0", most, f"-{most}", least, f"-{least}"]


SIZES = [("TINY", 8), ("SMALL", 16), ("MEDIUM", 24), ("", 32), ("BIG", 64)]
TIMES_OF_DAY = [
    *("'00:00:00'", "'-01:02:03.123456'", "'01:02:03.999999'", "'838:59:58.999999'", "'-838:59:58.999999'"),
    *("'-00:00:00.1'", "'-00:00:01.000001'", "'12:34:56.789012'", "'-00:00:00.5'"),
]
MOMENTS = [
    *("'2024-01-02 03:04:05.678901'", "'0000-00-00'", "'1000-01-01'", "'9999-12-31 23:59:59.499999'"),
    *("'2024-02-31 10:00:00.000001'", "'2024-00-00'", "'2023-12-31 23:59:59.999999'"),
]
MOMENTS_OF_1970 = [
    *("'2024-01-02 03:04:05.678901'", "'0000-00-00'", "'1970-01-01 00:00:01'", "'1970-01-01 00:00:00.5'"),
    *("'2038-01-19 03:14:07.499999'", "'2000-02-29 23:59:59.999999'"),
]

INTEGERS: list[Case] = [
    *((f"{name}INT", ["0", "-1", "1", str(-(1 << bits - 1)), str((1 << bits - 1) - 1)]) for name, bits in SIZES),
    *((f"{name}INT UNSIGNED", ["0", "1", str(1 << bits - 1), str((1 << bits) - 1)]) for name, bits in SIZES),
    ("BOOLEAN", ["TRUE", "FALSE"]),
    ("YEAR", ["1901", "2155", "0", "2024"]),
]
ZEROFILL: list[Case] = [
    *((f"{name}INT ZEROFILL", ["0", "1", str((1 << bits) - 1)]) for name, bits in SIZES),
    ("INT(5) ZEROFILL", ["0", "42", "123456"]),
    ("BIGINT(40) ZEROFILL", ["7"]),
    ("DECIMAL(10,2) ZEROFILL", ["0", "1.5", "99999999.99"]),
    ("DECIMAL(7,0) ZEROFILL", ["1"]),
    ("DECIMAL(5,5) ZEROFILL", ["0.00001"]),
    ("FLOAT ZEROFILL", ["1.5", "1e20", "1e-20"]),
    ("DOUBLE ZEROFILL", ["1.5", "1e300", "1e-300"]),
    ("FLOAT(7,3) ZEROFILL", ["1.5", "0"]),
    ("DOUBLE(10,2) ZEROFILL", ["1.5", "0"]),
]
DECIMALS: list[Case] = [
    ("DECIMAL(10,2)", ["0", "0.5", "-0.5", "12345678.90", "-99999999.99", "-0.01"]),
    ("DECIMAL(65,30)", ["1", "-0.000000000000000000000000000001", "99999999999999999999999999999999999.5"]),
    ("DECIMAL(18,9)", ["123456789.987654321", "-1.000000001"]),
    *(
        (f"DECIMAL({digits},{scale})", decimals(digits, scale))
        for digits in (1, 8, 9, 10, 18, 19, 27, 38, 64, 65)
        for scale in (0, 1, 4, 9, 10, 29, 30)
        if scale <= digits
    ),
]
FLOATS: list[Case] = [
    ("FLOAT", ["0", "-0.0", "-0e0", "1.1", "-1.5e-10", "16777216", "1234567", "0.1", "123456789", "1e15", "1e14"]),
    ("FLOAT", ["3.402823466e38", "-3.402823466e38", "1.175494351e-38", "1e-38", "1e-45", "-1.4e-45", "1e-40"]),
    (
        "DOUBLE",
        ["0", "-0e0", "0.1", "1e14", "1e15", "1e16", "123456789012345678", "123456789012345", "1234567890123456"],
    ),
    ("DOUBLE", ["1.7976931348623157e308", "-1.7976931348623157e308", "2.2250738585072014e-308", "4.9e-324", "-1e-310"]),
    ("DOUBLE", ["1e-14", "1.5e-15", "1e-15", "1e-16", "100000000000000000000", "123456789012345.67", "-1e22", "1/3"]),
    ("FLOAT(10)", ["0.1", "1e10"]),
    ("FLOAT(30)", ["0.1", "1e10"]),
    ("FLOAT(7,3)", ["0", "1.5", "-1.5", "-0.0005", "1234.5678", "0.0625"]),
    ("FLOAT(8,2)", ["0.005", "0.015", "0.125", "131072.33", "999999.99"]),
    ("FLOAT(20,10)", ["0.1", "1e0/3", "123456.789", "1e-7"]),
    ("FLOAT(30,20)", ["0.1", "-1e-9", "-0.0005", "1e0/3"]),
    ("FLOAT(10,0)", ["1.5", "2.5", "16777217"]),
    ("DOUBLE(10,2)", ["1.005", "-99999999.99", "0.125", "2.675", "-0e0", "-1e-9"]),
    ("DOUBLE(20,15)", ["0.1", "1e0/3", "-1e-9", "12345.678901234567"]),
    ("DOUBLE(60,30)", ["0.1", "1e20", "1e0/3"]),
    ("DOUBLE(255,2)", ["1e200", "1.7976931348623157e308"]),
    ("DOUBLE(22,0)", ["1e15", "2.5", "-2.5", "1e21"]),
    ("REAL(8,3) UNSIGNED", ["1.5"]),
]
BITS: list[Case] = [
    (f"BIT({bits})", ["0", "1", str((1 << bits) - 1), str(0x5555_5555_5555_5555 & (1 << bits) - 1)])
    for bits in (1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 55, 56, 57, 63, 64)
]
TEXTS: list[Case] = [
    ("CHAR(10)", ["''", "'abc'", "'  x '", "'é漢😀'"]),
    ("CHAR(200) CHARACTER SET utf8mb4", ["REPEAT('😀', 200)", "'x'"]),
    ("VARCHAR(50)", ["''", "'trailing  '", "'\\\\''\\\"'", "'é漢😀'"]),
    ("VARCHAR(500)", ["REPEAT('é', 500)", "'a'"]),
    ("TINYTEXT", ["'tiny'"]),
    ("TEXT", ["REPEAT('漢', 1000)"]),
    ("MEDIUMTEXT", ["'m'"]),
    ("LONGTEXT", ["'l'", "''"]),
    ("VARCHAR(20) CHARACTER SET latin1", ["'é€ÿ'", "CONVERT(x'818D8F909DA0' USING latin1)"]),
    ("VARCHAR(20) CHARACTER SET gbk", ["'漢字abc'"]),
    ("VARCHAR(20) CHARACTER SET utf8mb3", ["'漢é'"]),
    ("VARCHAR(20) CHARACTER SET ascii", ["'plain'"]),
    ("VARCHAR(20) CHARACTER SET ucs2", ["'漢é'", "_ucs2 x'0041'"]),
    ("VARCHAR(20) CHARACTER SET utf16", ["'漢😀'"]),
    ("VARCHAR(20) CHARACTER SET utf32", ["'漢😀'"]),
    ("CHAR(5) CHARACTER SET cp1251", ["'Привет'"]),
    ("TEXT CHARACTER SET latin2", ["'łąž'"]),
    ("TEXT CHARACTER SET sjis", ["'漢字カナ'", "_sjis x'815F41'"]),
    ("TEXT CHARACTER SET ujis", ["'漢字カナ'", "_ujis x'8FF5A1418EB1'"]),
    ("TEXT CHARACTER SET eucjpms", ["'漢字①\uff5e\uffe4'", "_eucjpms x'ADA18FF4B841'"]),
    ("TEXT CHARACTER SET big5", ["'漢字'", "_big5 x'A2CC41F9D6'"]),
    ("TEXT CHARACTER SET euckr", ["'한글'"]),
    ("VARCHAR(9) CHARACTER SET swe7", ["'ÅÄÖ'", "'abc'"]),
    ("VARCHAR(9) CHARACTER SET utf16le", ["'漢😀'"]),
    ("CHAR(9) CHARACTER SET macroman", ["'é™'"]),
]
BINARIES: list[Case] = [
    ("BINARY(4)", ["x'01'", "x'00'", "x'00000000'", "x'01020300'", "x'20202020'"]),
    ("BINARY(255)", ["x'FF00'"]),
    ("VARBINARY(10)", ["x''", "x'0100'", "x'FFFE00'"]),
    ("VARBINARY(300)", ["REPEAT(x'00', 300)"]),
    ("TINYBLOB", ["x'00FF'"]),
    ("BLOB", ["REPEAT(x'80', 70)"]),
    ("MEDIUMBLOB", ["REPEAT(x'81', 70000)"]),
    ("LONGBLOB", ["x''"]),
    ("POINT", ["ST_GeomFromText('POINT(1 2)')"]),
    ("GEOMETRY", ["ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')", "ST_GeomFromText('MULTIPOINT(0 0,1 1)')"]),
    ("GEOMETRYCOLLECTION", ["ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')"]),
]
CHOICES: list[Case] = [
    ("ENUM('a','b','é漢')", ["'a'", "'b'", "'é漢'", "0"]),
    ("ENUM('x','ü') CHARACTER SET latin1", ["'ü'"]),
    ("SET('r','w','é')", ["''", "'r'", "'r,é'", "'w,r'"]),
    ("SET('1','2','3','4','5','6','7','8','9')", ["'1,9'", "511"]),
    (f"SET({','.join(repr(f'm{n}') for n in range(64))})", ["0", "'m63'", "'m0,m31,m32,m63'", str((1 << 64) - 1)]),
    (f"ENUM({','.join(repr(f'e{n}') for n in range(300))})", ["'e0'", "'e254'", "'e255'", "'e299'", "0"]),
    ("ENUM('ключ','值') CHARACTER SET utf16", ["'值'"]),
    ("SET('漢','字') CHARACTER SET gbk", ["'漢,字'"]),
]
TIMES: list[Case] = [
    ("DATE", ["'2024-02-29'", "'0000-00-00'", "'2024-02-31'", "'1000-01-01'", "'9999-12-31'", "'2024-00-00'"]),
    ("TIME", ["'00:00:00'", "'-00:00:01'", "'838:59:59'", "'-838:59:59'", "'-01:02:03'"]),
    *((f"TIME({digits})", TIMES_OF_DAY) for digits in range(7)),
    ("DATETIME", ["'2024-01-02 03:04:05'", "'0000-00-00 00:00:00'", "'2024-02-31 10:00:00'", "'9999-12-31 23:59:59'"]),
    *((f"DATETIME({digits})", MOMENTS) for digits in range(7)),
    *((f"TIMESTAMP({digits}) NULL", MOMENTS_OF_1970) for digits in range(7)),
    ("TIMESTAMP NULL", ["'2024-01-02 03:04:05'", "'0000-00-00'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"]),
    ("TIMESTAMP NULL", ["'2000-02-29 23:59:59'", "'1999-12-31 00:00:00'", "'2024-12-31 23:59:59'", "'2024-03-01'"]),
]
JSONS: list[Case] = [
    (
        "JSON",
        ["'null'", "'true'", "'[]'", "'{}'", '\'"é\\\\u0001\\\\"\\\\\\\\/\\\\b\\\\f\\\\n\\\\r\\\\t"\'', "'0'", "'-1'"],
    ),
    ("JSON", ['\'{"b": 1, "a": [1, 2.5, null, {"x": "y"}], "long": 123456789012}\'', "'18446744073709551615'"]),
    ("JSON", ["'[32767, 32768, -32768, -32769, 65535, 65536, 2147483648, 4294967296]'", "'1e300'", "'1.0'", "'1e-20'"]),
]
MYSQL_ONLY: list[Case] = [
    ("JSON", ["JSON_OBJECT('d', CAST(1.50 AS DECIMAL(10,2)), 'n', CAST(-0.25 AS DECIMAL(5,2)))"]),
    ("JSON", ["JSON_ARRAY(CAST('2024-01-02' AS DATE), CAST('-01:02:03.5' AS TIME(6)))"]),
    (
        "JSON",
        ["JSON_ARRAY(CAST('2024-01-02 03:04:05.678' AS DATETIME(3)))", "JSON_OBJECT('b', x'00FF', 'bit', b'101')"],
    ),
    ("JSON", ["JSON_ARRAY(1e0, 1.5e0, -0e0, 123456789012345678e0, CAST(3 AS UNSIGNED), TRUE)"]),
    ("JSON", ["JSON_OBJECT('k', REPEAT('x', 70000), 'n', 70000, 'm', 1)", "JSON_OBJECT('', '')"]),
    ("JSON", ["JSON_ARRAY(TIMESTAMP'2024-01-02 03:04:05.5', CAST(2024 AS YEAR), 1.5, -1, _latin1'é', b'1', NULL)"]),
    ("JSON", [f"CAST('{json.dumps([{'k': n, 'v': [n, str(n), n / 8]} for n in range(4000)])}' AS JSON)"]),
    ("JSON", [f"CAST('{json.dumps({f'key{n}': 1 << n % 60 for n in range(9000)})}' AS JSON)"]),
    ("JSON", ["JSON_OBJECT('blob', REPEAT(x'80', 70000))", "CAST(CAST(1 AS DECIMAL(65,30)) AS JSON)"]),
    ("JSON", ["CAST(POINT(1, 2) AS JSON)", "CAST(9223372036854775808 AS JSON)"]),
    ("JSON", ["JSON_ARRAY(CAST('-838:59:59' AS TIME(6)), CAST('838:59:59' AS TIME))"]),
    ("JSON", [f"'{'[' * 100}{']' * 100}'", "JSON_ARRAY(1e15, 1e16, 1e-15, 5e-324, 1.7976931348623157e308)"]),
    ("VECTOR(3)", ["TO_VECTOR('[1, 2.5, -3]')"]),
    ("VECTOR(16383)", ["TO_VECTOR(CONCAT('[', REPEAT('0.5,', 16382), '1]'))"]),
    ("GEOMETRY", ["ST_GeomFromText('LINESTRING(0 0, 1 1)', 4326)"]),
    ("VARCHAR(20) CHARACTER SET gb18030", ["'漢é😀'"]),
]
MARIADB_ONLY: list[Case] = [
    ("VARCHAR(20) COLLATE uca1400_ai_ci", ["'é漢'"]),
    ("TEXT COLLATE utf8mb4_nopad_bin", ["'x '"]),
    ("UUID", ["'00112233-4455-6677-8899-aabbccddeeff'", "'00112233-4455-1677-8899-aabbccdd0000'", "x'00'"]),
    ("INET6", ["'::'", "'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:1.2.3.0'", "'::1.2.3.4'", "'1::'", "'::1:0'"]),
    ("INET6", ["'fe80:0:0:1:0:0:0:1'", "'1:0:2:0:3:0:4:0'", "'::ffff:0:0'", "'::0.1.0.0'", "'1:2:3:4:5:6:7:0'"]),
    ("INET4", ["'1.2.3.4'", "'0.0.0.0'", "'255.255.255.0'"]),
    ("BINARY(16)", ["x'01'"]),
    ("YEAR(2)", ["2000", "1999", "2069", "1970"]),
    ("DECIMAL(65,38)", ["0.00000000000000000000000000000000000001", "-99999999999999999999999999.5"]),
    ("JSON", ['\'{"b": 1,"a":[1,  2]}\'', "'null'"]),
    ("VARCHAR(300) COMPRESSED", ["'short'", "''", "REPEAT('é', 299)"]),
    ("TEXT CHARACTER SET latin1 COMPRESSED", ["REPEAT('é', 500)"]),
    ("BLOB COMPRESSED", ["REPEAT(x'00FF', 500)", "x'00'"]),
]

OLD_TIMES: list[Case] = [
    *((f"TIME({digits})", TIMES_OF_DAY) for digits in range(7)),
    *((f"DATETIME({digits})", MOMENTS) for digits in range(7)),
    *((f"TIMESTAMP({digits}) NULL", MOMENTS_OF_1970) for digits in range(7)),
]
"""In MariaDB's format from before 10.1."""

EVERYWHERE: list[Case] = [
    *(*INTEGERS, *ZEROFILL, *DECIMALS, *FLOATS, *BITS, *TEXTS, *BINARIES, *CHOICES, *TIMES, *JSONS),
]
