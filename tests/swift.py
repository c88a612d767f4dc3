"""OpenStack Swift's S3 layer on loopback, over TLS: `python -m tests.swift VENV COMMAND...` runs a command against it.

An S3 server that nobody wrote for mediafleet: it checks signatures, checksums and part sizes by rules of its own. VENV
is where `make test-s3` has put Swift. The command finds it through the environment, as a gateway finds its storage.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mediafleet_devserver import tether
from mediafleet_devserver.redis_server import free_port

START_TIMEOUT = 60.0
KINDS = ("account", "container", "object", "proxy")

SERVER = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
user =
workers = 0
{tls}

[app:{kind}-server]
use = egg:swift#{kind}
account_autocreate = true

[pipeline:main]
pipeline = {filters} {kind}-server

[filter:s3api]
use = egg:swift#s3api
location = us-east-1
max_upload_part_num = 10000

[filter:tempauth]
use = egg:swift#tempauth
user_media_fleet = {secret} .admin

[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
max_manifest_size = 33554432
allow_async_delete = false
"""
TLS = """
cert_file = {folder}/server.pem
key_file = {folder}/server.key
"""
# Swift takes its limits from /etc/swift if nobody says otherwise before they are imported.
LAUNCH = """
import runpy, sys
from swift.common import utils
sys.argv = sys.argv[1:]
utils.set_swift_dir(sys.argv.pop(0))
runpy.run_path(sys.argv[0], run_name="__main__")
"""
CLUSTER = """
[swift-constraints]
max_meta_value_length = 2048

[swift-hash]
swift_hash_path_suffix = tests

[storage-policy:0]
name = single
default = yes
"""


@contextmanager
def swift(venv: Path) -> Iterator[Mapping[str, str]]:
    """The environment in which a process finds a running Swift with an empty bucket; its data end with it."""
    # Swift needs a file system with extended attributes, which /tmp need not be.
    with tempfile.TemporaryDirectory(prefix="run-", dir=venv) as name, ExitStack() as stack:
        folder, secret = Path(name), os.urandom(16).hex()
        ports = {kind: free_port() for kind in KINDS}
        _configure(venv / "bin", folder, secret, ports)
        environment = {
            "MEDIAFLEET_STORAGE": "s3",
            "MEDIAFLEET_STORAGE_CA_FILE": str(folder / "client.pem"),
            "SSL_CERT_FILE": str(folder / "client.pem"),  # for those who follow signed URLs
            "R2_ENDPOINT_URL": f"https://127.0.0.1:{ports['proxy']}",
            "R2_REGION": "us-east-1",
            "R2_BUCKET_NAME": "media",
            "R2_ACCESS_KEY_ID": "media:fleet",
            "R2_SECRET_ACCESS_KEY": secret,
        }
        for kind in KINDS:
            stack.enter_context(_server(venv / "bin", folder, kind))
        try:
            _make_bucket(environment)
        except TimeoutError as late:
            late.add_note("\n".join(log.read_text()[-1_000:] for log in folder.glob("*.log")))
            raise
        yield environment


def _configure(programs: Path, folder: Path, secret: str, ports: Mapping[str, int]) -> None:
    """One disk, one replica, and a certificate for loopback from an authority made for this run."""
    (folder / "devices/disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(CLUSTER)
    _run(programs / "python", "-m", "trustme", "--quiet", "--dir", folder, "--identities", "127.0.0.1")
    for kind, port in ports.items():
        public = kind == "proxy"
        text = SERVER.format(
            kind=kind,
            port=port,
            folder=folder,
            secret=secret,
            tls=TLS.format(folder=folder) if public else "",
            filters="s3api tempauth slo" if public else "",
        )
        (folder / f"{kind}.conf").write_text(text)
        if not public:
            builder = (programs / "python", programs / "swift-ring-builder", folder / f"{kind}.builder")
            _run(*builder, "create", "2", "1", "1")
            _run(*builder, "add", f"r1z1-127.0.0.1:{port}/disk", "1")
            _run(*builder, "rebalance")


@contextmanager
def _server(programs: Path, folder: Path, kind: str) -> Iterator[None]:
    tethered = (sys.executable, tether.__file__, str(os.getpid()), programs / "python", "-c", LAUNCH)
    server = (folder, programs / f"swift-{kind}-server", folder / f"{kind}.conf", "--verbose")
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen([*tethered, *server], stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _make_bucket(environment: Mapping[str, str]) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=environment["R2_ENDPOINT_URL"],
        aws_access_key_id=environment["R2_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["R2_SECRET_ACCESS_KEY"],
        region_name=environment["R2_REGION"],
        verify=environment["MEDIAFLEET_STORAGE_CA_FILE"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            client.create_bucket(Bucket=environment["R2_BUCKET_NAME"])
            return
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                raise TimeoutError("Swift did not start") from error
            time.sleep(0.1)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """The exit status of the command."""
    venv, *command = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with swift(Path(venv).resolve()) as environment:
        return subprocess.run(command, env={**os.environ, **environment}).returncode


if __name__ == "__main__":
    sys.exit(main())
