"""docs/monitoring.md says of alerts and dashboards what there is."""

from monitoring.reference import PAGE, PARTS, page


def test_tables_are_up_to_date() -> None:
    """``python -m monitoring.reference`` brings them up to date."""
    text = PAGE.read_text()
    assert all(f"<!-- made: {part} -->" in text for part in PARTS)
    assert page(text) == text
