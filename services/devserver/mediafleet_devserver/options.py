"""What a dev server can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

DEFAULT_DATA_DIR = Path(".mediafleet")
DEFAULT_GATEWAY_PORT = 8070

StorageKind = Literal["local", "s3"]


class DevServerError(Exception):
    """The dev server cannot start or go on; the text says why and what to do, `flag` which flag it is about."""

    def __init__(self, message: str, flag: str = "") -> None:
        """`flag` is one of `mediafleet dev`, such as `--data-dir`."""
        super().__init__(message)
        self.flag = flag


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
