"""The image pipeline on a 12 MP JPEG against the floor: one DCT-scaled decode and nothing else."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from benchmarks.pairs import Pair, measure
from mediafleet_core.processing import DEFAULT_SIZES
from mediafleet_workers import pipeline
from mediafleet_workers.pipeline import PipelineJob

PIXELS = (4000, 3000)


def _sample(path: Path) -> None:
    """Something with edges and gradients, as a camera would have it."""
    noise = Image.effect_noise((PIXELS[0] // 4, PIXELS[1] // 4), 60).resize(PIXELS, Image.Resampling.BICUBIC)
    across = Image.linear_gradient("L").resize(PIXELS)
    around = Image.radial_gradient("L").resize(PIXELS)
    Image.merge("RGB", (noise, across, around)).save(path, quality=90)


def _pipeline(source: Path, target: Path) -> float:
    start = time.process_time()
    sizes = tuple(size for size in DEFAULT_SIZES if size.name != "preview")
    result = pipeline.run(PipelineJob(source=str(source), target=str(target), sizes=sizes), lambda _: None)
    seconds = time.process_time() - start
    assert len(result.renditions) == 3
    return seconds * 1000


def _decode(source: Path) -> float:
    start = time.process_time()
    with Image.open(source, formats=["JPEG"]) as picture:
        picture.draft("RGB", (1600, 1200))
        picture.load()
    return (time.process_time() - start) * 1000


def run(rounds: int) -> Pair:
    """CPU milliseconds for small, medium and large."""
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder:
        source, target = Path(folder, "sample.jpg"), Path(folder, "out")
        target.mkdir()
        _sample(source)
        return measure(
            "Three thumbnails of a 12 MP JPEG",
            "ms of CPU",
            ("pipeline", lambda: _pipeline(source, target)),
            ("DCT-scaled decode alone", lambda: _decode(source)),
            rounds=rounds,
        )
