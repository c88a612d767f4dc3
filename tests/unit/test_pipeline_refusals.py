"""Files that are not what they claim, damaged, cut off or too large: each gets its code, and nothing half made."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.media_types import MediaKind
from mediafleet_workers.pipeline import Limits
from tests.pictures import SUFFIXES, processed, refusal, scene

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"x" * 100
ZIP = b"PK\x03\x04" + b"\0" * 100
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100
DAMAGED = {FailureCode.CORRUPT_MEDIA, FailureCode.TRUNCATED_MEDIA}


def noisy() -> Image.Image:
    """Compresses badly, so that every tenth of the file is pixels."""
    grain = Image.frombytes("RGB", (200, 150), random.Random(7).randbytes(200 * 150 * 3))
    return Image.blend(scene(200, 150), grain, 0.4)


def encoded(name: str, **options: object) -> bytes:
    content = BytesIO()
    noisy().save(content, name, **options)
    return content.getvalue()


def animated(name: str) -> bytes:
    return encoded(name, save_all=True, append_images=[noisy().rotate(90), noisy().rotate(180)], duration=40)


WHOLE = {
    **{name: encoded(name) for name in SUFFIXES},
    "progressive JPEG": encoded("JPEG", progressive=True),
    "compressed TIFF": encoded("TIFF", compression="tiff_lzw"),
    "animated GIF": animated("GIF"),
    "animated WEBP": animated("WEBP"),
    "animated PNG": animated("PNG"),
}


@pytest.mark.parametrize("tenths", range(1, 10))
@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, name: str, tenths: int) -> None:
    path = tmp_path / "picture"
    content = WHOLE[name]
    path.write_bytes(content)
    assert len(processed(path).renditions) == 4
    for made in (tmp_path / "renditions").iterdir():
        made.unlink()
    path.write_bytes(content[: len(content) * tenths // 10])
    assert refusal(path) is FailureCode.TRUNCATED_MEDIA


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(WHOLE)),
    damage=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), min_size=1, max_size=4),
)
def test_damaged_bytes_give_a_picture_or_a_code_and_nothing_else(
    tmp_path: Path, name: str, damage: list[tuple[float, bytes]]
) -> None:
    content = bytearray(WHOLE[name])
    for where, what in damage:
        start = int(where * (len(content) - 1))
        content[start : start + len(what)] = what
    path = tmp_path / "picture"
    path.write_bytes(content)
    try:
        result = processed(path, limits=Limits(pixels=1_000_000, frames=100))
    except ProcessingError as error:
        assert error.code in {*DAMAGED, FailureCode.PIXEL_LIMIT, FailureCode.FRAME_LIMIT}  # noqa: PT017
    else:
        assert len(result.renditions) in {0, 4}
        assert (result.kind is MediaKind.IMAGE) == (len(result.renditions) == 4)


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg_header(width: int, height: int) -> bytes:
    small = encoded("JPEG")
    start = small.index(b"\xff\xc0") + 5
    return small[:start] + struct.pack(">HH", height, width) + small[start + 4 :]


def webp_header(width: int, height: int) -> bytes:
    flags = b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", len(flags)) + flags + encoded("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_header(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + encoded("GIF")[10:]


def tiff_header(width: int, height: int) -> bytes:
    content = BytesIO()
    Image.new("RGB", (7, 5)).save(content, "TIFF")
    entry = struct.pack("<HHI", 256, 4, 1)
    data = content.getvalue()
    start = data.index(entry)
    data = data[: start + 8] + struct.pack("<I", width) + data[start + 12 :]
    start = data.index(struct.pack("<HHI", 257, 4, 1))
    return data[: start + 8] + struct.pack("<I", height) + data[start + 12 :]


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        png_header(50_000, 50_000),
        png_header(1_000_000, 1_000),
        jpeg_header(65_500, 65_500),
        webp_header(16_383, 16_383),
        gif_header(65_535, 65_535),
        tiff_header(50_000, 50_000),
    ],
    ids=["PNG", "flat PNG", "JPEG", "WEBP", "GIF", "TIFF"],
)
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(content)
    with little_memory():
        assert refusal(path) is FailureCode.PIXEL_LIMIT


def test_the_pixel_limit_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scene(100, 80).save(path)
    assert processed(path, limits=Limits(pixels=8000)).renditions
    for made in (tmp_path / "renditions").iterdir():
        made.unlink()
    assert refusal(path, limits=Limits(pixels=7999)) is FailureCode.PIXEL_LIMIT


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_frame_limit_is_exact(tmp_path: Path, name: str) -> None:
    path = tmp_path / "frames"
    path.write_bytes(animated(name))
    assert processed(path, limits=Limits(frames=3)).renditions
    for made in (tmp_path / "renditions").iterdir():
        made.unlink()
    assert refusal(path, limits=Limits(frames=2)) is FailureCode.FRAME_LIMIT


@pytest.mark.parametrize(
    ("content", "declared", "name"),
    [
        (b"just words", "image/jpeg", "a.jpg"),
        (b"just words", "", "a.jpg"),
        (b"just words", "text/plain", "a.png"),
        (b"", "image/png", "a.png"),
        (PDF, "image/jpeg", "a.jpg"),
        (PDF, "image/heic", "a.heic"),
        (ZIP, "image/png", "a"),
        (HEIC, "image/jpeg", "a.jpg"),
        (WHOLE["JPEG"], "application/pdf", "a"),
        (WHOLE["JPEG"], "video/mp4", "a.mp4"),
        (WHOLE["PNG"], "", "a.pdf"),
        (WHOLE["PNG"], "image/png", "song.mp3"),
    ],
)
def test_content_that_contradicts_its_claim_is_refused(
    tmp_path: Path, content: bytes, declared: str, name: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert refusal(path, declared, name) is FailureCode.CONTENT_TYPE_MISMATCH


def test_an_empty_picture_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ProcessingError) as refused:
        processed(path, "", "a.jpg")
    assert refused.value.detail == "The file claims to be image/jpeg, but it is empty."


@pytest.mark.parametrize(
    ("content", "declared", "name", "found"),
    [
        (WHOLE["JPEG"], "image/png", "a.png", "image/jpeg"),
        (WHOLE["JPEG"], "image/jpg; q=1", "a.JPG", "image/jpeg"),
        (WHOLE["JPEG"], "", "IMG_1.heic", "image/jpeg"),
        (WHOLE["WEBP"], "application/octet-stream", "", "image/webp"),
        (WHOLE["animated PNG"], "image/apng", "a.png", "image/png"),
    ],
)
def test_another_supported_format_is_tolerated_and_recorded(
    tmp_path: Path, content: bytes, declared: str, name: str, found: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    result = processed(path, declared, name)
    assert (result.content_type, len(result.renditions)) == (found, 4)


@pytest.mark.parametrize(
    ("content", "declared", "name", "kind", "found"),
    [
        (b"just words", "text/plain", "a.txt", MediaKind.OTHER, "text/plain"),
        (b"just words", "", "a", MediaKind.OTHER, "application/octet-stream"),
        (b"", "", "empty", MediaKind.OTHER, "application/octet-stream"),
        (ZIP, "", "a.zip", MediaKind.OTHER, "application/zip"),
        (PDF, "application/pdf", "a.pdf", MediaKind.DOCUMENT, "application/pdf"),
        (PDF, "", "a", MediaKind.DOCUMENT, "application/pdf"),
        (HEIC, "image/heic", "a.heic", MediaKind.IMAGE, "image/heic"),
        (HEIC, "", "a", MediaKind.IMAGE, "image/heic"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "a.svg", MediaKind.IMAGE, "image/svg+xml"),
        (b"II\x2a\0" + b"\0" * 50, "image/x-nikon-nef", "a.nef", MediaKind.IMAGE, "image/x-nikon-nef"),
        (b"FUJIFILMCCD-RAW" + b"\0" * 50, "image/x-fuji-raf", "a.raf", MediaKind.IMAGE, "image/x-fuji-raf"),
        (b"ID3\x03" + b"\0" * 50, "audio/mpeg", "a.mp3", MediaKind.AUDIO, "audio/mpeg"),
    ],
)
def test_files_without_a_pipeline_pass_without_renditions(
    tmp_path: Path, content: bytes, declared: str, name: str, kind: MediaKind, found: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    result = processed(path, declared, name)
    assert (result.kind, result.content_type, result.renditions, result.media_info) == (kind, found, (), None)
