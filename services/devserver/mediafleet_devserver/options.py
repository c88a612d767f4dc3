"""What a dev server can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

DEFAULT_DATA_DIR = Path(".mediafleet")
DEFAULT_GATEWAY_PORT = 8070

StorageKind = Literal["local", "s3"]


class DevServerError(Exception):
    """The dev server cannot start or go on; the text says why and what to do."""


class Options(NamedTuple):
    """The flags of `mediafleet dev`."""

    data_dir: Path = DEFAULT_DATA_DIR
    """Everything that is kept: objects, Redis, keys, logs."""
    gateway_port: int = DEFAULT_GATEWAY_PORT
    """Port of the first gateway; the others follow."""
    gateways: int = 1
    workers: int = 1
    """Workers for pictures; there is one more for everything else."""
    storage: StorageKind = "local"
