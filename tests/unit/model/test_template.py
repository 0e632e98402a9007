"""Templates: what is a reference, what is text, and where a mistake is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.model.names import Fault
from hasync.model.template import Image, Reference, Template
from hasync.stream.template import compile_template

COLUMNS = ["id", "user_id", "a$b", "2fa", "größe", "a-b", "first name"]


def written(parts: list[str | Reference]) -> str:
    """Write parts as a template would have them."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part.replace("{", "{{").replace("}", "}}")
        else:
            text += f"{{{part.image}.{part.column}}}" if part.image else f"{{{part.column}}}"
    return text


PARTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.sampled_from(["{", "}", "{{", "}}{", "%", "%s", "{id}"]),
        st.builds(Reference, st.sampled_from(Image), st.sampled_from(COLUMNS)),
    )
)


def merged(parts: list[str | Reference]) -> list[str | Reference]:
    joined: list[str | Reference] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


@given(PARTS)
def test_parsing_gives_back_what_was_written(parts: list[str | Reference]) -> None:
    """Any text around any references, braces included."""
    assert list(Template.parse(written(parts)).parts) == merged(parts)


@given(PARTS, st.lists(st.one_of(st.none(), st.binary()), min_size=len(COLUMNS), max_size=len(COLUMNS)))
def test_rendering_is_concatenation(parts: list[str | Reference], row: list[bytes | None]) -> None:
    """Each reference is its bytes, and one NULL makes the whole text NULL."""
    template = Template.parse(written(parts))
    render = compile_template(template, lambda reference: COLUMNS.index(reference.column))
    pieces = [part.encode() if isinstance(part, str) else row[COLUMNS.index(part.column)] for part in parts]
    expected = None if None in pieces else b"".join(piece for piece in pieces if piece is not None)
    assert render([tuple(row), tuple(row)]) == [expected, expected]


def test_references_name_image_and_column() -> None:
    """Column names in lower case, since MySQL compares them so."""
    template = Template.parse("u:{Tenant}:{old.Name}:{new.Name}")
    assert template.references == (
        Reference(Image.ROW, "tenant"),
        Reference(Image.OLD, "name"),
        Reference(Image.NEW, "name"),
    )
    assert (template.prefix, template.images) == (b"u:", frozenset(Image))
    assert str(template) == "u:{Tenant}:{old.Name}:{new.Name}"


def test_column_may_be_called_like_an_image() -> None:
    """{old} is a column, {old.old} its old value."""
    assert Template.parse("{old}").references == (Reference(Image.ROW, "old"),)
    assert Template.parse("{old.old}").references == (Reference(Image.OLD, "old"),)


@pytest.mark.parametrize(
    ("text", "offset", "why"),
    [
        ("k:{}", 3, "names no column"),
        ("k:{0}", 3, "does not name a column"),
        ("{a.b.c}", 1, "'a.b' is not an image"),
        ("{was.name}", 1, "'was' is not an image"),
        ("{OLD.name}", 1, "'OLD' is not an image"),
        ("x{a!r}", 2, "a conversion ('!')"),
        ("x{a:>3}", 2, "a format (':')"),
        ("x{a[0]}", 2, "an index ('[')"),
        ("x{a()}", 2, "a call ('(')"),
        ("{ a }", 1, "blanks around"),
        ("{old.}", 1, "does not name a column"),
        ("{.a}", 1, "'' is not an image"),
        ("{a/b}", 1, "does not name a column"),
        ("abc{id", 4, "a '{' without its '}'"),
        ("abc}", 4, "a '}' without its '{'"),
        ("{{id}", 5, "a '}' without its '{'"),
        ("{a{b}}", 1, "a '{' inside a reference"),
        ("{id}}}{", 7, "a '{' without its '}'"),
        ("{\n}", 1, "blanks around"),
    ],
)
def test_anything_but_a_reference_is_refused_with_its_place(text: str, offset: int, why: str) -> None:
    """A template is no format string."""
    with pytest.raises(Fault) as caught:
        Template.parse(text)
    assert why in caught.value.what
    assert f"at character {offset}" in caught.value.what
    assert "only {column}, {old.column} and {new.column}" in caught.value.remedy
