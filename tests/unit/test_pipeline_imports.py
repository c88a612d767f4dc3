"""Everything is imported before the first file is touched: a sandboxed child cannot import any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import ExifTags, Image

from tests.pictures import SUFFIXES, scene
from tests.unit.test_pipeline_colour import wide_gamut

RUN_ALL = """
import os, sys
from pathlib import Path
from mediafleet_core.failures import ProcessingError
from mediafleet_workers.pipeline import PipelineJob, run
before = set(sys.modules)
for name in sorted(os.listdir(sys.argv[1])):
    try:
        run(PipelineJob(source=f"{sys.argv[1]}/{name}", target=sys.argv[2], display_name=name), lambda _: None)
    except ProcessingError:
        pass
print(*sorted(set(sys.modules) - before))
"""


def test_no_file_needs_an_import_that_comes_late(tmp_path: Path) -> None:
    files, target = tmp_path / "files", tmp_path / "target"
    files.mkdir()
    target.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.DateTime] = "2024:02:29 23:30:00"
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude.value: (48.0, 12.0, 30.0)}
    for name, suffix in SUFFIXES.items():
        scene().save(files / f"plain.{suffix}")
        scene().convert("P").save(files / f"palette.{suffix}") if name != "JPEG" else None
        scene().convert("RGBA").save(files / f"alpha.{suffix}") if name != "JPEG" else None
    for suffix in ("jpg", "png", "webp"):
        scene().save(files / f"tagged.{suffix}", icc_profile=wide_gamut(), exif=exif)
    scene().save(files / "several.jpg", "MPO", save_all=True, append_images=[scene(50, 50)])
    scene().save(files / "packed.tiff", compression="tiff_lzw")
    Image.new("CMYK", (90, 90)).save(files / "print.tiff")
    Image.new("LAB", (90, 90)).save(files / "lab.tiff")
    Image.new("I;16", (90, 90)).save(files / "deep.png")
    (files / "cut.jpg").write_bytes((files / "plain.jpg").read_bytes()[:5000])
    (files / "words.txt").write_text("words")
    command = [sys.executable, "-c", RUN_ALL, str(files), str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == []
