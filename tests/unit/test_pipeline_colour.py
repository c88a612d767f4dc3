"""Colours and transparency: what was meant is what is seen, and nothing turns black."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from mediafleet_core.uploads import ImageInfo
from tests.pictures import difference, processed, rendition, scene

SIZE = (400, 300)
GREY, RED = (128, 128, 128), (200, 40, 30)


def at(image: Image.Image, x: int = 5, y: int = 5) -> tuple[int, ...]:
    pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return tuple(round(value) for value in pixel)


def near(seen: tuple[int, ...], meant: tuple[int, ...], tolerance: int = 4) -> bool:
    return all(abs(one - other) <= tolerance for one, other in zip(seen, meant, strict=True))


def wide_gamut() -> bytes:
    """An RGB profile with the primaries of Adobe RGB (1998) and its gamma, 2.2, put together tag by tag."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.19921875 * 256)) + b"\0\0"
    text = b"wide gamut"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * (1 + 8 + 4 + 67),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += padded
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + b"".join(map(fixed, (0.9642, 1.0, 0.8249))) + b"\0" * 48
    return header + table + body


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_a_wide_gamut_becomes_srgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", SIZE, RED).save(path, icc_profile=wide_gamut(), quality=95)
    result = processed(path)
    # Adobe RGB (200, 40, 30) lies at the very edge of sRGB: red grows to about 233, the others shrink.
    seen = at(rendition(path, result, "small"))
    assert 225 <= seen[0] <= 240
    assert seen[1] <= 42
    assert "icc_profile" not in rendition(path, result, "small").info


def test_the_profile_counts_for_transparent_pictures_too(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture = Image.new("RGBA", SIZE, (*RED, 255))
    picture.paste((0, 0, 0, 0), (200, 0, 400, 300))
    picture.save(path, icc_profile=wide_gamut())
    result = processed(path)
    assert 225 <= at(rendition(path, result, "small"))[0] <= 240
    assert rendition(path, result, "small").getpixel((140, 5)) == (0, 0, 0, 0)


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200, wide_gamut()[:100]])
def test_a_broken_profile_is_as_if_absent(tmp_path: Path, profile: bytes) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", SIZE, RED).save(path, icc_profile=profile)
    assert near(at(rendition(path, processed(path), "small")), RED)


def test_a_profile_of_other_channels_is_as_if_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", SIZE, 128).save(path, icc_profile=wide_gamut())
    assert near(at(rendition(path, processed(path), "small")), GREY)


def test_srgb_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = scene(*SIZE)
    picture.save(path, icc_profile=profile)
    best = picture.resize((300, 225), Image.Resampling.LANCZOS)
    assert difference(rendition(path, processed(path), "medium"), best) < 2.0


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_cmyk_becomes_rgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("CMYK", SIZE, (0, 200, 200, 20)).save(path, quality=95)
    red, green, blue = at(rendition(path, processed(path), "small"))
    assert red > 200
    assert max(green, blue) < 80


def test_lab_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    Image.new("LAB", SIZE, (137, 128, 128)).save(path)
    seen = at(rendition(path, processed(path), "small"))
    assert near(seen, GREY, 6)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_keeps_its_brightness(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("I;16", SIZE, 128 * 257).save(path)
    assert near(at(rendition(path, processed(path), "small")), GREY)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_values_are_stretched_over_their_range(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.tiff"
    picture = Image.new(mode, SIZE, 1000)
    picture.paste(3000, (200, 0, 400, 300))
    picture.save(path)
    small = rendition(path, processed(path), "small")
    assert near(at(small), (0, 0, 0))
    assert near(at(small, 140), (255, 255, 255))


def test_bilevel_pictures_shrink_to_greys(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    stripes = Image.new("1", SIZE)
    for x in range(0, SIZE[0], 2):
        stripes.paste(1, (x, 0, x + 1, SIZE[1]))
    stripes.save(path)
    assert near(at(rendition(path, processed(path), "small"), 70, 50), GREY, 40)


def darkest(image: Image.Image) -> float:
    low, _ = image.getextrema()
    assert not isinstance(low, tuple)
    return low


def transparent_palette() -> Image.Image:
    picture = Image.new("P", SIZE, 1)
    picture.putpalette([0, 0, 0, *RED])
    picture.paste(0, (200, 0, 400, 300))
    return picture


def transparent_rgba() -> Image.Image:
    picture = Image.new("RGBA", SIZE, (*RED, 255))
    picture.paste((0, 0, 0, 0), (200, 0, 400, 300))
    return picture


def transparent_grey() -> Image.Image:
    picture = Image.new("LA", SIZE, (128, 255))
    picture.paste((0, 0), (200, 0, 400, 300))
    return picture


@pytest.mark.parametrize(
    ("picture", "suffix", "options", "colour"),
    [
        (transparent_palette(), "png", {"transparency": 0}, RED),
        (transparent_palette(), "gif", {"transparency": 0}, RED),
        (transparent_rgba(), "png", {}, RED),
        (transparent_rgba(), "webp", {"lossless": True}, RED),
        (transparent_rgba(), "tiff", {}, RED),
        (transparent_grey(), "png", {}, GREY),
        (transparent_rgba().convert("RGB"), "png", {"transparency": (0, 0, 0)}, RED),
        (transparent_grey().convert("L"), "png", {"transparency": 0}, GREY),
    ],
)
def test_transparency_is_kept(
    tmp_path: Path, picture: Image.Image, suffix: str, options: dict[str, Any], colour: tuple[int, ...]
) -> None:
    path = tmp_path / f"a.{suffix}"
    picture.save(path, **options)
    result = processed(path)
    assert isinstance(result.media_info, ImageInfo)
    assert result.media_info.has_alpha
    assert {made.content_type for made in result.renditions} == {"image/webp"}
    for made in result.renditions:
        image = rendition(path, result, made.name).convert("RGBA")
        assert image.getchannel("A").getpixel((5, 5)) == 255
        assert image.getchannel("A").getpixel((image.width - 5, 5)) == 0
        assert near(at(image), colour, 8)
        # No dark fringe: what is seen over white at the border lies between the colour and white.
        over = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("L")
        assert darkest(over) >= darkest(Image.new("RGB", (1, 1), colour).convert("L")) - 12


def test_16_bit_grey_with_a_transparent_shade(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    row = struct.pack("<H", 128 * 257) * 200 + struct.pack("<H", 300) * 200
    picture = Image.frombytes("I;16", SIZE, row * SIZE[1])
    picture.save(path, transparency=300)
    small = rendition(path, processed(path), "small").convert("RGBA")
    assert (small.getchannel("A").getpixel((5, 5)), small.getchannel("A").getpixel((140, 5))) == (255, 0)
    assert near(at(small), GREY, 6)


def test_an_alpha_channel_that_hides_nothing_gives_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scene(*SIZE).convert("RGBA").save(path)
    result = processed(path)
    assert {made.content_type for made in result.renditions} == {"image/jpeg"}


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_is_shown_by_its_first_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    later = [Image.new("RGB", SIZE, (0, shade, 0)) for shade in (80, 160, 240)]
    Image.new("RGB", SIZE, RED).save(path, save_all=True, append_images=later, duration=50)
    result = processed(path)
    assert isinstance(result.media_info, ImageInfo)
    assert (result.media_info.frames, result.content_type) == (4, f"image/{suffix}")
    assert near(at(rendition(path, result, "small")), RED, 8)


def test_the_first_page_of_a_tiff_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    Image.new("RGB", SIZE, RED).save(path, save_all=True, append_images=[Image.new("RGB", (50, 50), "green")])
    result = processed(path)
    assert isinstance(result.media_info, ImageInfo)
    assert (result.media_info.frames, result.media_info.width) == (2, 400)
    assert near(at(rendition(path, result, "small")), RED)
