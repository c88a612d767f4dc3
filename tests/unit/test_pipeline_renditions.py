"""Renditions: their sizes, how close they are to the best that can be made, and what they do not carry."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import ExifTags, Image, TiffImagePlugin

from mediafleet_core.media_types import MediaKind
from mediafleet_core.processing import PictureSize
from mediafleet_core.uploads import ImageInfo, Processing, ProcessingStep
from mediafleet_workers.pipeline import PipelineResult, StepProgress, run
from tests.pictures import SUFFIXES, difference, job_for, processed, rendition, scene


def sizes(result: PipelineResult) -> dict[str, tuple[int, int]]:
    return {made.name: (made.width, made.height) for made in result.renditions}


@pytest.mark.parametrize("name", SUFFIXES)
def test_every_format_gets_all_presets(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{SUFFIXES[name]}"
    scene().save(path)
    result = processed(path)
    assert (result.kind, result.content_type) == (MediaKind.IMAGE, f"image/{name.lower()}")
    assert isinstance(result.media_info, ImageInfo)
    assert (result.media_info.width, result.media_info.height, result.media_info.format) == (1200, 900, name)
    assert sizes(result) == {"large": (800, 600), "preview": (600, 450), "medium": (300, 225), "small": (150, 112)}
    for made in result.renditions:
        image = rendition(path, result, made.name)
        assert (image.format, image.size, made.content_type) == ("JPEG", (made.width, made.height), "image/jpeg")
        assert image.info.get("progressive")


@pytest.mark.parametrize(
    ("stored", "large", "small"),
    [
        ((3000, 4000), (450, 600), (112, 150)),
        ((800, 600), (800, 600), (150, 112)),
        ((100, 60), (100, 60), (100, 60)),
        ((1, 1), (1, 1), (1, 1)),
        ((5000, 3), (800, 1), (150, 1)),
        ((799, 601), (798, 600), (150, 113)),
    ],
)
def test_aspect_is_kept_and_nothing_is_enlarged(
    tmp_path: Path, stored: tuple[int, int], large: tuple[int, int], small: tuple[int, int]
) -> None:
    path = tmp_path / "a.jpg"
    scene(*stored).save(path) if min(stored) > 10 else Image.new("RGB", stored, "red").save(path)
    result = processed(path)
    assert (sizes(result)["large"], sizes(result)["small"]) == (large, small)
    for made in result.renditions:
        assert rendition(path, result, made.name).size == (made.width, made.height)


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(3999, 2997), (1601, 1201)])
def test_renditions_are_close_to_a_full_decode_and_lanczos(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    path = tmp_path / f"a.{SUFFIXES[name]}"
    scene(*size).save(path)
    result = processed(path)
    with Image.open(path) as full:
        full.load()
        for made in result.renditions:
            best = BytesIO()
            full.resize((made.width, made.height), Image.Resampling.LANCZOS).save(best, "JPEG", quality=85)
            assert difference(rendition(path, result, made.name), Image.open(best)) < 1.0, made.name


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_turned_upright(tmp_path: Path, orientation: int, name: str) -> None:
    upright = scene(400, 300)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # FLIP_LEFT_RIGHT.., ROTATE_90 undoes 6, ROTATE_270 undoes 8
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"a.{SUFFIXES[name]}"
    stored.save(path, exif=exif, quality=95)
    result = processed(path)
    assert isinstance(result.media_info, ImageInfo)
    assert (result.media_info.width, result.media_info.height) == (400, 300)
    assert result.media_info.orientation == orientation
    assert sizes(result)["medium"] == (300, 225)
    best = upright.resize((300, 225), Image.Resampling.LANCZOS)
    assert difference(rendition(path, result, "medium"), best) < 3.0


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_camera_and_place_are_found_and_travel_no_further(tmp_path: Path, name: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Acme"
    exif[ExifTags.Base.Model] = "One\0"
    moment, offset = ExifTags.Base.DateTimeOriginal.value, ExifTags.Base.OffsetTimeOriginal.value
    exif[ExifTags.IFD.Exif] = {moment: "2024:02:29 23:30:00", offset: "+02:00"}
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude.value: (48.0, 12.0, 30.0)}
    path = tmp_path / f"a.{SUFFIXES[name]}"
    picture = scene(400, 300)
    picture.info["comment"] = b"secret words"
    picture.save(path, exif=exif)
    result = processed(path)
    info = result.media_info
    assert isinstance(info, ImageInfo)
    assert (info.camera_make, info.camera_model, info.has_location) == ("Acme", "One", True)
    assert info.taken_time is not None
    assert info.taken_time.isoformat() == "2024-02-29T23:30:00+02:00"
    for made in result.renditions:
        content = (path.parent / "renditions" / made.file_name).read_bytes()
        assert not any(word in content for word in (b"Exif", b"GPS", b"Acme", b"secret", b"ICC_PROFILE", b"http:"))
        assert not rendition(path, result, made.name).getexif()


def test_camera_and_place_are_found_in_a_tiff(tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[ExifTags.Base.Make] = "Acme"
    tags[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude.value: (48.0, 12.0, 30.0)}
    path = tmp_path / "a.tiff"
    scene(400, 300).save(path, tiffinfo=tags)
    info = processed(path).media_info
    assert isinstance(info, ImageInfo)
    assert (info.camera_make, info.has_location) == ("Acme", True)


def test_broken_exif_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    scene(400, 300).save(path, exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff" + b"\xff" * 50)
    assert len(processed(path).renditions) == 4


def test_the_caller_may_choose_steps_or_the_original_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scene().save(path)
    assert processed(path, processing=Processing(preset="original")).renditions == ()
    steps = (
        ProcessingStep(name="thumbnail", options={"name": "small"}),
        ProcessingStep(name="thumbnail", options={"name": "wide", "width": "1000", "height": "100"}),
        ProcessingStep(name="thumbnail", options={"width": "64", "height": "64"}),
    )
    result = processed(path, processing=Processing(steps=steps))
    assert sizes(result) == {"small": (150, 112), "wide": (133, 100), "64x64": (64, 48)}
    assert sizes(processed(path, sizes=(PictureSize("tiny", 10, 10),))) == {"tiny": (10, 8)}


def test_progress_names_every_step_and_never_falls(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    scene().save(path)
    seen: list[StepProgress] = []
    run(job_for(path), seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == pytest.approx(1.0)
    assert list(dict.fromkeys(progress.step for progress in seen)) == [
        *("check", "open", "metadata", "plan", "decode", "channels", "shrink", "colour", "transparency", "render")
    ]
    assert (seen[-1].items_done, seen[-1].items_total) == (4, 4)
