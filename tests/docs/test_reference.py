"""Generated parts of pages are the code's; the reference's examples and mistakes are what they say."""

import pytest

from hasync.model import config
from hasync.model.reference import SECTIONS, placed, refusal
from hasync.model.samples import SAMPLES
from tests.docs.generated import PARTS, REMEDY, Part


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.begin.strip("<!- >"))
def test_page_holds_what_the_code_says(part: Part) -> None:
    """A field or an event that is new, or means something else now, is on the page."""
    assert part.split()[1].strip() == part.make().strip(), REMEDY


def test_each_field_has_a_sample_and_no_other() -> None:
    """A field without an example could not be shown; add it to hasync/model/samples.py."""
    fields = {
        f"{path}.{field.alias or name}".lstrip(".")
        for _, path, model in SECTIONS
        for name, field in model.model_fields.items()
    }
    assert fields == set(SAMPLES)


@pytest.mark.parametrize("where", SAMPLES)
def test_example_is_accepted(where: str) -> None:
    """It can be copied."""
    assert config.parse(placed(where, SAMPLES[where].example)).tables


@pytest.mark.parametrize("where", [where for where, sample in SAMPLES.items() if sample.mistake])
def test_mistake_is_refused_with_a_remedy(where: str) -> None:
    """What is shown as refused is, for the reason that is shown."""
    assert "; " in refusal(where, SAMPLES[where].mistake)
