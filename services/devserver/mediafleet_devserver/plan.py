"""Which children a dev server has, what each is told, and where each will be reached."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from mediafleet_devserver.child import ChildSpec
from mediafleet_devserver.data_dir import DataDir
from mediafleet_devserver.options import DevServerError, Options
from mediafleet_devserver.probes import gateway_serves, http_answers, redis_answers
from mediafleet_devserver.redis_server import RedisNotFoundError, free_port, redis_command

HOST = "127.0.0.1"
OTHER_KINDS = "AUDIO,VIDEO,DOCUMENT,OTHER"

SHORT_GRACES = {"MEDIAFLEET_DRAIN_GRACE": "00:00:03", "MEDIAFLEET_WORKER_GRACE": "00:00:03"}
"""Who presses Ctrl-C waits for the end; what is cut off goes on at the next start."""


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first child starts."""

    layers: tuple[tuple[ChildSpec, ...], ...]
    """Children in the order of their start, those of one layer together; they end in the opposite order."""
    gateways: tuple[str, ...]
    metrics: tuple[str, ...]
    redis: str
    storage: str

    @property
    def children(self) -> tuple[ChildSpec, ...]:
        """All of them, in the order of their start."""
        return tuple(spec for layer in self.layers for spec in layer)


def make_plan(options: Options, data: DataDir) -> Plan:
    """Raises DevServerError naming the flag or variable that cannot be met."""
    redis_layer, redis_urls = _redis(data)
    storage, storage_settings, storage_url = _storage(options, data)
    # The developer's own MEDIAFLEET_* reach the children, unless they are what the dev server decides. Credentials of
    # a real bucket do not: no experiment may end up there.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("R2_")}
    environment = {
        **SHORT_GRACES,
        **inherited,
        "MEDIAFLEET_ENVIRONMENT": "development",
        **redis_urls,
        **storage_settings,
    }
    gateways = [
        _gateway(number, options.gateway_port + number, environment, data) for number in range(options.gateways)
    ]
    workers = [_worker(f"worker-image-{number}", "IMAGE", environment, data) for number in range(options.workers)]
    workers.append(_worker("worker-other-0", OTHER_KINDS, environment, data))
    metrics = [spec.environment["MEDIAFLEET_METRICS_ADDRESS"] for spec in (*gateways, *workers)]
    return Plan(
        layers=(redis_layer, (_with(storage, environment),), tuple(workers), tuple(gateways)),
        gateways=tuple(spec.environment["MEDIAFLEET_GATEWAY_ADDRESS"] for spec in gateways),
        metrics=tuple(f"http://{address}/metrics" for address in metrics),
        redis=redis_urls["MEDIAFLEET_LEDGER_URL"],
        storage=storage_url,
    )


def _redis(data: DataDir) -> tuple[tuple[ChildSpec, ...], dict[str, str]]:
    names = ("MEDIAFLEET_LEDGER_URL", "MEDIAFLEET_BROKER_URL")
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    if len(given) == 2:
        return (), given
    if given:
        raise DevServerError(f"Set both {names[0]} and {names[1]} to use your own Redis, or neither.")
    port = free_port()
    urls = {name: f"redis://{HOST}:{port}/{database}" for database, name in enumerate(names)}
    try:
        command = redis_command(data.folder("redis"), port)
    except RedisNotFoundError as error:
        raise DevServerError(str(error)) from None
    return (ChildSpec("redis", command, dict(os.environ), redis_answers(urls[names[0]])),), urls


def _storage(options: Options, data: DataDir) -> tuple[ChildSpec, dict[str, str], str]:
    # The same at the next start: signed URLs hold it.
    port = data.port("storage")
    url = f"http://{HOST}:{port}"
    python = (sys.executable, "-m")
    if options.storage == "s3":
        folder = data.folder("s3")
        command = [*python, "mediafleet_devserver.r2", "--port", str(port), "--data-dir", str(folder)]
        settings = {
            "MEDIAFLEET_STORAGE": "s3",
            "R2_ENDPOINT_URL": url,
            "R2_BUCKET_NAME": "mediafleet-dev",
            "R2_ACCESS_KEY_ID": "mediafleet-dev",
            "R2_SECRET_ACCESS_KEY": data.key("storage"),
        }
    else:
        command = [*python, "mediafleet_core.storage.local_http"]
        settings = {
            "MEDIAFLEET_STORAGE": "local",
            "MEDIAFLEET_STORAGE_DIR": str(data.folder("objects")),
            "MEDIAFLEET_STORAGE_ADDRESS": f"{HOST}:{port}",
            "MEDIAFLEET_STORAGE_URL": url,
            "MEDIAFLEET_STORAGE_SIGNING_KEY": data.key("storage"),
        }
    return ChildSpec("storage-0", command, {}, http_answers(url)), settings, url


def _gateway(number: int, port: int, environment: Mapping[str, str], data: DataDir) -> ChildSpec:
    address = f"{HOST}:{port}"
    _expect_free(port)
    own = {
        "MEDIAFLEET_GATEWAY_ADDRESS": address,
        "MEDIAFLEET_METRICS_ADDRESS": f"{HOST}:{free_port()}",
        "MEDIAFLEET_TOKEN_KEY": data.key("tokens"),
    }
    command = (sys.executable, "-m", "mediafleet_gateway")
    return ChildSpec(f"gateway-{number}", command, {**environment, **own}, gateway_serves(address))


def _worker(name: str, kinds: str, environment: Mapping[str, str], data: DataDir) -> ChildSpec:
    metrics = f"{HOST}:{free_port()}"
    own = {
        "MEDIAFLEET_WORKER_NAME": name,
        "MEDIAFLEET_WORKER_KINDS": kinds,
        "MEDIAFLEET_METRICS_ADDRESS": metrics,
        "MEDIAFLEET_SCRATCH_DIR": str(data.folder("scratch", name)),
    }
    command = (sys.executable, "-m", "mediafleet_workers")
    return ChildSpec(name, command, {**environment, **own}, http_answers(f"http://{metrics}/metrics"))


def _with(spec: ChildSpec, environment: Mapping[str, str]) -> ChildSpec:
    return ChildSpec(spec.name, spec.command, environment, spec.probe)


def _expect_free(port: int) -> None:
    with socket.socket() as probe:
        # As the gateway binds: connections of an earlier run that still linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "there is no such port"
            raise DevServerError(
                f"a gateway cannot listen on {HOST}:{port}: {reason}. Name another first port.", "--gateway-port"
            ) from None
