"""What a caller may ask to be done with a picture, and what is refused."""

from __future__ import annotations

import pytest

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.processing import DEFAULT_SIZES, MOST_RENDITIONS, PictureSize, picture_sizes
from mediafleet_core.uploads import Processing, ProcessingStep


def thumbnail(**options: str) -> ProcessingStep:
    return ProcessingStep(name="thumbnail", options=options)


def test_every_configured_size_is_the_default() -> None:
    assert picture_sizes(Processing()) == picture_sizes(Processing(preset="thumbnails")) == DEFAULT_SIZES


def test_steps_name_configured_sizes_or_their_own() -> None:
    steps = (thumbnail(name="small"), thumbnail(name="hero", width="1600", height="900"))
    assert picture_sizes(Processing(steps=steps)) == (PictureSize("small", 150, 150), PictureSize("hero", 1600, 900))


@pytest.mark.parametrize(
    ("processing", "field"),
    [
        (Processing(preset="sepia"), "p.preset"),
        (Processing(preset="thumbnails", steps=(thumbnail(name="small"),)), "p"),
        (Processing(steps=(ProcessingStep(name="rotate"),)), "p.steps[0].name"),
        (Processing(steps=(thumbnail(name="small", blur="3"),)), "p.steps[0].options"),
        (Processing(steps=(thumbnail(width="10"),)), "p.steps[0].options[height]"),
        (Processing(steps=(thumbnail(width="0", height="10"),)), "p.steps[0].options[width]"),
        (Processing(steps=(thumbnail(width="5000", height="10"),)), "p.steps[0].options[width]"),
        (Processing(steps=(thumbnail(width="1" * 5000, height="10"),)), "p.steps[0].options[width]"),
        (Processing(steps=(thumbnail(width="١٢", height="10"),)), "p.steps[0].options[width]"),
        (Processing(steps=(thumbnail(name="../x", width="9", height="9"),)), "p.steps[0].options[name]"),
        (Processing(steps=(thumbnail(name="small"), thumbnail(name="small"))), "p.steps"),
        (Processing(steps=(thumbnail(name="small"),) * (MOST_RENDITIONS + 1)), "p.steps"),
    ],
)
def test_what_is_unknown_is_refused_by_its_field(processing: Processing, field: str) -> None:
    with pytest.raises(MediafleetError) as caught:
        picture_sizes(processing, field="p")
    assert caught.value.reason is Reason.FIELD_INVALID
    assert [violation.field for violation in caught.value.violations] == [field]
