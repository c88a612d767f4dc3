"""What a tenant's limits let pass."""

from __future__ import annotations

import pytest

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.quotas import Limits

PICTURES = Limits(allowed_types=("image/*", "audio/ogg"))


@pytest.mark.parametrize("content_type", ["image/png", "audio/ogg", "audio/ogg; codecs=opus", "Image/JPEG ;q=1"])
def test_a_type_is_allowed_by_itself_or_its_family_whatever_its_parameters(content_type: str) -> None:
    PICTURES.check_type(content_type)


@pytest.mark.parametrize("content_type", ["", "audio/mpeg", "text/plain; x=image/png"])
def test_other_types_are_refused(content_type: str) -> None:
    with pytest.raises(MediafleetError) as refused:
        PICTURES.check_type(content_type)
    assert refused.value.reason is Reason.CONTENT_TYPE_NOT_ALLOWED


def test_without_a_list_everything_is_allowed() -> None:
    Limits().check_type("")
