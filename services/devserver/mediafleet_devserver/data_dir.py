"""The folder of a dev server: who uses it, what is kept in it, which keys it has."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from mediafleet_devserver.options import DevServerError
from mediafleet_devserver.redis_server import free_port, is_free


class DataDir:
    """Paths and keys below one folder. Only its owner can read it."""

    def __init__(self, path: Path) -> None:
        """Nothing is made before `locked`."""
        self.path = path.absolute()

    @property
    def endpoints(self) -> Path:
        """Where to connect, and as whom; there while the dev server is ready."""
        return self.path / "endpoints.json"

    def folder(self, *names: str) -> Path:
        """A folder below this one, made if need be."""
        folder = self.path.joinpath(*names)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def log(self, child: str) -> Path:
        """What a child writes to its standard output and error."""
        return self.folder("logs") / f"{child}.log"

    def key(self, name: str) -> str:
        """A secret of 43 characters that stays the same from one start to the next."""
        path = self.folder("keys") / name
        with contextlib.suppress(FileNotFoundError):
            return path.read_text()
        write_private(path, secrets.token_urlsafe(32))
        return path.read_text()

    def keep_storage(self, kind: str) -> None:
        """Remember the kind of storage at the first start. Raises DevServerError at a later start with another one."""
        path = self.folder() / "storage"
        if not path.exists():
            write_private(path, kind)
        if (before := path.read_text()) != kind:
            raise DevServerError(
                f"{self.path} holds uploads on {before} storage. Use that, or name another folder.", "--storage"
            )

    def port(self, name: str) -> int:
        """A port of loopback that stays the same from one start to the next, unless somebody else has taken it."""
        path = self.folder("ports") / name
        with contextlib.suppress(FileNotFoundError, ValueError):
            if is_free(port := int(path.read_text())):
                return port
        write_private(path, str(port := free_port()))
        return port

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """This folder for one dev server alone. Raises DevServerError when another one holds it."""
        try:
            descriptor = os.open(self.folder() / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DevServerError(f"cannot use {self.path}: {error.strerror}", "--data-dir") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode() or "unknown"
            raise DevServerError(
                f"{self.path} is in use by the dev server with pid {owner}. Stop that one, or name another folder.",
                "--data-dir",
            ) from None
        else:
            os.truncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file at once or not at all, readable by its owner alone."""
    temporary = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
