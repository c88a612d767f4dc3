"""Which files of a folder make a batch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediafleet.cli.batch.scanning import Choice, scan


def found(folder: Path, **choice: tuple[str, ...]) -> list[str]:
    return [file.path.relative_to(folder).as_posix() for file in scan(folder, Choice(**choice))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for path in ("b.jpg", "a.JPG", "film.mp4", "notes", "scan.pdf", "z/b.jpg", "z/drafts/c.png", ".hidden/d.jpg"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"12")
    (root / ".e.jpg").touch()
    return root


def test_files_are_sorted_and_hidden_ones_left_out(folder: Path) -> None:
    assert found(folder) == ["a.JPG", "b.jpg", "film.mp4", "notes", "scan.pdf", "z/b.jpg", "z/drafts/c.png"]
    assert {file.size for file in scan(folder, Choice())} == {2}


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"types": ("image",)}, ["a.JPG", "b.jpg", "z/b.jpg", "z/drafts/c.png"]),
        ({"types": ("image/png", "video")}, ["film.mp4", "z/drafts/c.png"]),
        ({"types": ("document", "other")}, ["notes", "scan.pdf"]),
        ({"include": ("b.*",)}, ["b.jpg", "z/b.jpg"]),
        ({"include": ("z/*",), "exclude": ("z/drafts/*",)}, ["z/b.jpg"]),
        ({"types": ("image",), "exclude": ("*.jpg", "*.JPG")}, ["z/drafts/c.png"]),
    ],
)
def test_types_and_patterns_choose(folder: Path, choice: dict[str, tuple[str, ...]], names: list[str]) -> None:
    assert found(folder, **choice) == names


def test_links_stay_inside_and_no_file_comes_twice(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.jpg").touch()
    (folder / "out.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "above").symlink_to(tmp_path)
    (folder / "z" / "loop").symlink_to(folder)
    (folder / "z" / "same.jpg").symlink_to(folder / "b.jpg")
    (folder / "z" / "hidden.jpg").symlink_to(folder / ".e.jpg")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    os.mkfifo(folder / "pipe")
    assert [name for name in found(folder, types=("image",)) if name not in ("a.JPG", "b.jpg")] == [
        "z/b.jpg",
        "z/hidden.jpg",
        "z/drafts/c.png",
    ]


def test_a_link_as_the_folder_is_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert found(tmp_path / "link") == found(folder)
