"""The standard input as something to send, such as `cat photo.jpg | mediafleet upload - --name photo.jpg`."""

from __future__ import annotations

import io
import os
import sys
from typing import BinaryIO

import click

DASH = "-"
"""What it is called on the command line."""


def standard_input(name: str) -> BinaryIO:
    """The bytes that come, or those of a file from where it stands, to be called `name`."""
    if not name:
        raise click.UsageError("the standard input has no name of its own: give it one, as in --name photo.jpg")
    if sys.stdin is None:
        raise click.UsageError("there is no standard input")
    number = sys.stdin.fileno()
    os.set_blocking(number, True)  # else its end looks like a wait for more
    file = io.FileIO(number, closefd=False)
    file.name = name
    # A buffer in front of a pipe would wait for it at the end of this process.
    return io.BufferedReader(file) if file.seekable() else file
