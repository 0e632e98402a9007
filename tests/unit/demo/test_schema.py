"""The demo's SQL script is cut into statements as the mysql client cuts it."""

from importlib.resources import files

from demo.schema import statements


def test_delimiter_keeps_a_trigger_whole() -> None:
    """Semicolons inside a trigger's body end no statement."""
    script = "-- note\nCREATE TABLE t (\n  a INT -- ;b\n);\nDELIMITER //\nBEGIN\n  A;\n  B;\nEND//\nDELIMITER ;\nC;\n"
    assert list(statements(script)) == ["CREATE TABLE t (\n  a INT -- ;b\n)", "BEGIN\n  A;\n  B;\nEND", "C"]


def test_script_makes_the_four_tables_and_a_trigger_for_each_change_of_them() -> None:
    """A table without one of its triggers would be left out of the ledger, and so of the audit."""
    found = list(statements(files("demo").joinpath("schema.sql").read_text(encoding="utf-8")))
    tables = ("order_db.user_balance", "test.users", "test.orders", "test.products")
    for table in tables:
        assert sum(text.startswith(f"CREATE TABLE {table} ") for text in found) == 1
        for operation in ("INSERT", "UPDATE", "DELETE"):
            assert sum(f"AFTER {operation} ON {table} " in text for text in found) == 1
