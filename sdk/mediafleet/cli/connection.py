"""Where the gateway is and who is calling, from options, the environment or a dev server's `endpoints.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from mediafleet.aio import AsyncClient
    from mediafleet.client import Client

DEV_ENDPOINTS = Path(".mediafleet") / "endpoints.json"
"""What `mediafleet dev` writes, in the current folder."""

P = ParamSpec("P")
R = TypeVar("R")


class Connection(NamedTuple):
    """Gateways to try in turn, the bearer token (empty for none) and the patience in seconds."""

    targets: list[str]
    token: str
    timeout: float

    def __repr__(self) -> str:
        return f"Connection({self.targets})"

    def client(self) -> Client:
        """The synchronous client."""
        from mediafleet.client import Client

        return Client(targets=self.targets, token=self.token, timeout=self.timeout)

    def async_client(self) -> AsyncClient:
        """The asynchronous client."""
        from mediafleet.aio import AsyncClient

        return AsyncClient(targets=self.targets, token=self.token, timeout=self.timeout)


def connected(command: Callable[Concatenate[Connection, P], R]) -> Callable[..., R]:
    """Adds the options that name a gateway; the command takes the connection as its first argument."""

    @click.option(
        "--endpoint",
        envvar="MEDIAFLEET_ENDPOINT",
        show_envvar=True,
        metavar="HOST:PORT",
        help="Gateway; https://HOST:PORT for TLS. Several, separated by commas, are tried in turn.",
    )
    @click.option(
        "--token",
        envvar="MEDIAFLEET_TOKEN",
        show_envvar=True,
        help="Bearer token; better set in the environment.",
    )
    @click.option(
        "--endpoints-file",
        envvar="MEDIAFLEET_ENDPOINTS_FILE",
        show_envvar=True,
        type=click.Path(path_type=Path),
        help=f"Written by `mediafleet dev`; {DEV_ENDPOINTS} is found by itself.",
    )
    @click.option(
        "--timeout",
        default=30.0,
        show_default=True,
        type=click.FloatRange(min=0.1),
        help="Seconds of trouble without any progress until it gives up.",
    )
    @wraps(command)
    def run(
        endpoint: str | None, token: str | None, endpoints_file: Path | None, timeout: float, **arguments: Any
    ) -> R:
        work: Callable[..., R] = command
        return work(resolve(endpoint, token, endpoints_file, timeout), **arguments)

    return run


def resolve(endpoint: str | None, token: str | None, endpoints_file: Path | None, timeout: float) -> Connection:
    """The named gateway, else that of the endpoints file; a token of the file goes to no other gateway."""
    if endpoint:
        return Connection([each.strip() for each in endpoint.split(",") if each.strip()], token or "", timeout)
    file = endpoints_file or DEV_ENDPOINTS
    try:
        endpoints = json.loads(file.read_text())
        targets = [str(each) for each in endpoints["gateways"]]
        return Connection(targets, token or str(endpoints.get("token", "")), timeout)
    except FileNotFoundError:
        if endpoints_file:
            raise click.UsageError(f"there is no file {file}; is `mediafleet dev` running?") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise click.UsageError(f"{file} cannot be read as endpoints of `mediafleet dev`") from None
    raise click.UsageError("no gateway is named: pass --endpoint, set MEDIAFLEET_ENDPOINT, or start `mediafleet dev`")
