"""Keep transparency that shows; drop an alpha channel that hides nothing, so that the rendition can be a JPEG."""

from __future__ import annotations

from mediafleet_workers.pipeline.image.work import Work

_OPAQUE = {"LA": "L", "RGBA": "RGB"}


def drop_unused_alpha(work: Work) -> None:
    """Replace `image` by one without alpha if every pixel is opaque."""
    image = work.picture
    if image.mode in _OPAQUE and image.getchannel("A").getextrema() == (255, 255):
        work.image = image.convert(_OPAQUE[image.mode])
