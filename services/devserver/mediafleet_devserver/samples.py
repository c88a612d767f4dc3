"""Sample files for the first run, made on the spot: the repository carries no pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import ExifTags, Image, ImageChops, ImageDraw


def make_samples(folder: Path) -> list[Path]:
    """A turned photo, a transparent drawing, a WebP, an animation, a scan and a text; paths in `folder`.

    Those that are there stay as they are, so that they are known not to have changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in SAMPLES.items():
        if not (folder / name).exists():
            unfinished = folder / f"unfinished-{name}"
            make(unfinished)
            unfinished.replace(folder / name)
    return [folder / name for name in SAMPLES]


def _photo(path: Path) -> None:
    """12 megapixels from a camera held upright: stored on its side, with orientation 6, a time and a place."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "Mediafleet"
    exif[ExifTags.Base.Model] = "Sample One"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:06:21 21:14:00"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (46.0, 30.0, 0.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", (8.0, 15.0, 0.0)
    grain = Image.effect_noise((3000, 4000), 14)
    photo = ImageChops.add(_landscape(3000, 4000), Image.merge("RGB", [grain] * 3), offset=-128)
    photo.transpose(Image.Transpose.ROTATE_90).save(path, quality=85, exif=exif)


def _badge(path: Path) -> None:
    picture = Image.new("RGBA", (1200, 1200), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 60, 1140, 1140), fill=(20, 110, 160, 255))
    draw.ellipse((180, 180, 1020, 1020), fill=(250, 200, 60, 160))
    draw.regular_polygon((600, 600, 330), 5, rotation=36, fill=(255, 255, 255, 255))
    picture.save(path)


def _web_picture(path: Path) -> None:
    _landscape(1920, 1280).save(path, quality=80)


def _animation(path: Path) -> None:
    frames = []
    for step in range(12):
        angle = 2 * math.pi * step / 12
        frame = Image.new("P", (480, 480), 0)
        frame.putpalette([18, 22, 40, 250, 200, 60, 90, 170, 220])
        draw = ImageDraw.Draw(frame)
        draw.circle((240, 240), 70, fill=1)
        draw.circle((240 + 160 * math.cos(angle), 240 + 160 * math.sin(angle)), 24, fill=2)
        frames.append(frame)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80, loop=0)


def _scan(path: Path) -> None:
    page = Image.new("L", (1240, 1754), 245)
    draw = ImageDraw.Draw(page)
    for line in range(40):
        draw.rectangle((140, 160 + 36 * line, 1100 - 97 * line % 260, 172 + 36 * line), fill=70)
    page.save(path, compression="tiff_lzw", dpi=(150, 150))


def _note(path: Path) -> None:
    path.write_text("Not a medium: stored, hashed and committed without renditions.\n")


def _landscape(width: int, height: int) -> Image.Image:
    """Sky, sun and hills."""
    down = Image.linear_gradient("L").resize((width, height))
    sky = Image.merge("RGB", (down.point(lambda v: 255 - v // 3), down.point(lambda v: 120 + v // 3), down))
    glow = Image.radial_gradient("L").point(lambda v: max(0, 200 - 2 * v)).resize((width, width))
    sun = Image.new("L", (width, height))
    sun.paste(glow, (width // 6, height // 2 - width // 2))
    picture = ImageChops.add(
        sky, Image.merge("RGB", (sun, sun.point(lambda v: v * 3 // 4), sun.point(lambda v: v // 3)))
    )
    draw = ImageDraw.Draw(picture)
    for layer, colour in enumerate(((70, 60, 110), (45, 45, 85), (25, 30, 55))):
        base, swing = height * (60 + 12 * layer) // 100, height // (12 + 3 * layer)
        ridge = [(x, base - swing * math.sin(x / width * (5 + 3 * layer) + 2 * layer)) for x in range(0, width + 8, 8)]
        draw.polygon([(0, height), *ridge, (width, height)], fill=colour)
    return picture


SAMPLES: Mapping[str, Callable[[Path], None]] = {
    "sunset.jpg": _photo,
    "badge.png": _badge,
    "lake.webp": _web_picture,
    "orbit.gif": _animation,
    "scan.tiff": _scan,
    "notes.txt": _note,
}
