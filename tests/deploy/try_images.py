"""Has containers that tools/try_images.sh built take one picture: python -m tests.deploy.try_images FOLDER."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from mediafleet import Client
from mediafleet_devserver.redis_server import free_port, redis_server
from mediafleet_gateway.auth import Scope
from mediafleet_gateway.tokens import issue
from tests.pictures import scene
from tests.processes import descendants
from tests.waiting import wait_until

KEY = "a key for tests only, 32 bytes or more"
USER = 65532


@contextmanager
def container(folder: Path, image: str, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The image's own command in its container; SIGTERM at the end, which must go well."""
    command = ["buildah", "--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs", "run"]
    command += ["--isolation", "chroot", "--volume", f"{folder / 'data'}:/data"]
    command += [f"--env={name}={value}" for name, value in settings.items()]
    process = subprocess.Popen([*map(str, command), image, "--", "/app/bin/python", "-m", f"mediafleet_{image}"])
    try:
        yield process
    finally:
        [inside] = [pid for pid in descendants(process.pid) if runs(pid, f"mediafleet_{image}")]
        os.kill(inside, 15)
        assert process.wait(60) == 0, f"{image} did not end well"


def runs(pid: int, module: str) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return command[:3] == [b"/app/bin/python", b"-m", module.encode()]


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=2).status == 200)
    except OSError:
        return False


def main(folder: Path) -> None:
    """Raises AssertionError when anything is not as it should be."""
    for part in ("objects", "scratch"):
        (folder / "data" / part).mkdir(parents=True, exist_ok=True)
        os.chown(folder / "data" / part, USER, USER)
    gateway, pages = f"127.0.0.1:{free_port()}", [f"127.0.0.1:{free_port()}" for _ in range(2)]
    with redis_server(folder / "redis") as url:
        common = {
            "MEDIAFLEET_ENVIRONMENT": "production",
            "MEDIAFLEET_LEDGER_URL": url,
            "MEDIAFLEET_BROKER_URL": url.removesuffix("/0") + "/1",
            "MEDIAFLEET_STORAGE": "local",
            "MEDIAFLEET_STORAGE_DIR": "/data/objects",
            "MEDIAFLEET_STORAGE_SIGNING_KEY": KEY,
        }
        serving = {"MEDIAFLEET_GATEWAY_ADDRESS": gateway, "MEDIAFLEET_TOKEN_KEY": KEY}
        with (
            container(folder, "gateway", common | serving | {"MEDIAFLEET_METRICS_ADDRESS": pages[0]}),
            container(
                folder,
                "workers",
                common | {"MEDIAFLEET_SCRATCH_DIR": "/data/scratch", "MEDIAFLEET_METRICS_ADDRESS": pages[1]},
            ) as worker,
        ):
            wait_until(lambda: answers(f"http://{pages[0]}/metrics"), 60, "the gateway")
            wait_until(lambda: answers(f"http://{pages[1]}/readyz"), 60, "the worker")
            for pid in descendants(worker.pid):
                if runs(pid, "mediafleet_workers"):
                    assert Path(f"/proc/{pid}").stat().st_uid == USER
            picture = folder / "picture.jpg"
            scene(800, 600).save(picture)
            token = issue(KEY, "ann", list(Scope), timedelta(hours=1))
            with Client(gateway, token=token) as client:
                upload = client.upload(picture, wait=True)
            print(upload.display_name, *sorted(made.name for made in upload.renditions))
            assert len(upload.renditions) == 4


if __name__ == "__main__":
    main(Path(sys.argv[1]))
