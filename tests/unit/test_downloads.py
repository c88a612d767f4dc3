"""What a browser is allowed to open in place, and what it may only save."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mediafleet_core.identity import TenantId, new_upload_id
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import Progress
from mediafleet_core.uploads import State, Upload, UploadSpec
from mediafleet_gateway.downloads import choose


def original(name: str, found: str = "") -> Upload:
    return Upload(
        upload_id=new_upload_id(),
        tenant=TenantId("ann"),
        spec=UploadSpec(display_name=name),
        kind=MediaKind.OTHER,
        state=State.SUCCEEDED,
        progress=Progress(),
        content_type=found,
        size_bytes=1,
        original_key="k",
        create_time=datetime.now(UTC),
        revision=1,
        sequence=1,
    )


@pytest.mark.parametrize("name", ["a.html", "a.xhtml", "a.svg", "a.xml", "a.js", "a.bin", "a"])
def test_what_could_act_as_a_page_is_only_saved(name: str) -> None:
    download = choose(original(name), "")
    assert (download.shown, download.content_type, download.file_name) == (False, "application/octet-stream", name)


@pytest.mark.parametrize(
    ("name", "found"), [("a.jpg", "image/jpeg"), ("a.mp4", "video/mp4"), ("a.pdf", "application/pdf")]
)
def test_media_may_be_shown(name: str, found: str) -> None:
    download = choose(original(name, found), "")
    assert (download.shown, download.content_type) == (True, found)


def test_content_decides_and_not_the_name() -> None:
    assert choose(original("page.html", "image/jpeg"), "").content_type == "image/jpeg"
    assert not choose(original("a.jpg", "text/html"), "").shown
