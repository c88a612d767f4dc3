"""What `mediafleet doctor` looks at where a worker is installed: settings, sandbox, and what the decoders decode."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import get_type_hints

import msgspec
from PIL import Image, features
from PIL import __version__ as pillow

from mediafleet_core.doctor import Check, Finding, failed, is_server, ok, read_parts, warning
from mediafleet_core.failures import ProcessingError
from mediafleet_core.settings import SettingsError, read
from mediafleet_workers import decoding
from mediafleet_workers.bootstrap import Settings
from mediafleet_workers.pipeline.job import PipelineJob, PipelineResult
from mediafleet_workers.pipeline.sniff import SUPPORTED_IMAGES
from mediafleet_workers.sandbox.sandbox import Sandbox, SandboxLost, SandboxUnavailable
from mediafleet_workers.sandbox.settings import SandboxSettings
from mediafleet_workers.settings import WorkerSettings

_LIBRARIES = {"JPEG": "libjpeg_turbo", "PNG": "zlib", "WEBP": "webp", "TIFF": "libtiff"}
_SIZE = (64, 48)
_SHARED = ("ledger", "queue", "storage")


def checks(origin: str) -> Iterator[Check]:
    """All that concerns workers alone."""
    if is_server():
        parts = tuple(part for name, part in get_type_hints(Settings).items() if name not in _SHARED)
        yield Check("worker settings", lambda: read_parts("worker settings", parts))
    yield Check("decoders", _decoders)


async def _decoders() -> AsyncIterator[Finding]:
    try:
        settings, worker = read(SandboxSettings), read(WorkerSettings)
        worker.scratch_dir.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix="doctor-", dir=worker.scratch_dir)
    except SettingsError:
        return  # the settings' own check tells
    except OSError as error:
        remedy = "name a folder on local disk that this user may write"
        yield failed("scratch", f"MEDIAFLEET_SCRATCH_DIR cannot be written ({error.strerror})", remedy)
        return
    sandbox = Sandbox(settings, decoding.ENTRY, preload=(decoding.__name__,))
    with place as folder:
        try:
            yield await _locked_in(sandbox, Path(folder), production=worker.environment == "production")
            for content_type in sorted(SUPPORTED_IMAGES):
                yield await _decoded(sandbox, Path(folder), content_type)
        finally:
            await sandbox.close()


async def _locked_in(sandbox: Sandbox, folder: Path, *, production: bool) -> Finding:
    try:
        await sandbox.start(folder, strict=True)
    except SandboxUnavailable as error:
        remedy = "needs Linux 5.13 or newer with Landlock and seccomp, libseccomp, and no capabilities dropped from it"
        return (failed if production else warning)("sandbox", str(error), remedy)
    return ok("sandbox", "decoders see no network, no other files and no other processes")


async def _decoded(sandbox: Sandbox, folder: Path, content_type: str) -> Finding:
    form = content_type.removeprefix("image/").upper()
    source = folder / form.lower()
    job = PipelineJob(source=str(source), target=str(folder), declared_type=content_type)
    try:
        Image.linear_gradient("L").resize(_SIZE).convert("RGB").save(source, form)
        answer = await sandbox.run(folder, msgspec.json.encode(job), lambda _: None)
        result = msgspec.json.decode(answer, type=PipelineResult)
    except (ProcessingError, SandboxLost, OSError, KeyError, ValueError) as error:
        return failed(
            f"decode {form}", str(error) or type(error).__name__, "install the locked version of Pillow again"
        )
    if result.content_type != content_type or not result.renditions:
        return failed(f"decode {form}", "no renditions were made", "install the locked version of Pillow again")
    return ok(f"decode {form}", f"{len(result.renditions)} renditions; {_versions(form)}")


def _versions(form: str) -> str:
    library = _LIBRARIES.get(form, "")
    found = features.version(library) if library else None
    return f"Pillow {pillow}" + (f", {library} {found}" if found else "")
