"""Convert colours to sRGB while the profile that explains them is still there; renditions carry none."""

from __future__ import annotations

import io

from PIL import Image, ImageCms

from mediafleet_workers.pipeline.image.work import Work

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
_IS_SRGB = ("sRGB IEC61966-2", "sRGB built-in")
"""How the profiles that change nothing describe themselves; skipping them spares a tenth of the work."""


def to_srgb(work: Work) -> None:
    """Replace `image` by one in L, LA, RGB or RGBA."""
    image = work.picture
    data = image.info.get("icc_profile")
    image.info = {}
    work.image = _by_profile(image, data) or _plainly(image)


def _by_profile(image: Image.Image, data: object) -> Image.Image | None:
    """None where there is no profile, or one that is broken or speaks of other channels: then it is as if absent."""
    if not isinstance(data, bytes) or not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if image.mode.startswith("RGB") and ImageCms.getProfileDescription(profile).startswith(_IS_SRGB):
            return None
        return _transformed(image, profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    opaque = image.convert({"LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode))
    converted = ImageCms.profileToProfile(opaque, profile, _SRGB, outputMode="RGB")
    assert converted is not None
    if alpha is not None:
        converted.putalpha(alpha)
    converted.info = {}
    return converted


def _plainly(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        return _transformed(image, _LAB)
    return image.convert("RGB") if image.mode == "CMYK" else image
