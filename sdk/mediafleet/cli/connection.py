"""Where the gateway is and who is calling, from options, the environment or a dev server's `endpoints.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar
from urllib.parse import urlsplit

import click

from mediafleet.cli.trouble import tell_of_trouble

if TYPE_CHECKING:
    from mediafleet.aio import AsyncClient
    from mediafleet.client import Client

DEV_ENDPOINTS = Path(".mediafleet") / "endpoints.json"
"""What `mediafleet dev` writes, in the current folder."""

ENDURING = 30.0
"""Seconds of patience of a command that sends or follows, and so outlives the restart of a gateway."""

BRIEF = 10.0
"""Seconds of patience of a command that asks one thing."""

LONGEST = 1e6
"""Seconds of patience that may be asked for: gRPC refuses at once what it cannot count."""

P = ParamSpec("P")
R = TypeVar("R")


class Connection(NamedTuple):
    """Gateways to try in turn, the bearer token (empty for none) and the patience in seconds.

    Where no gateway is known, `absent` says so to whoever asks for a client.
    """

    targets: list[str]
    token: str
    timeout: float
    absent: str = ""

    def __repr__(self) -> str:
        return f"Connection({self.targets})"

    def client(self) -> Client:
        """The synchronous client."""
        from mediafleet.client import Client

        self._check()
        tell_of_trouble(self.timeout)
        return Client(targets=self.targets, token=self.token, timeout=self.timeout)

    def async_client(self) -> AsyncClient:
        """The asynchronous client."""
        from mediafleet.aio import AsyncClient

        self._check()
        tell_of_trouble(self.timeout)
        return AsyncClient(targets=self.targets, token=self.token, timeout=self.timeout)

    def _check(self) -> None:
        if self.absent:
            raise click.UsageError(self.absent)


def endpoints(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    """Reads an option that names gateways, separated by commas."""
    named = [each.strip() for each in (value or "").split(",") if each.strip()]
    for each in named:
        if not _is_endpoint(each):
            raise click.BadParameter(f"{each!r} is no HOST:PORT such as 127.0.0.1:8070", ctx, param)
    return named


def _is_endpoint(text: str) -> bool:
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        port = url.port or (443 if url.scheme == "https" else 0)
    except ValueError:
        return False
    only_place = not (url.path.strip("/") or url.query or url.fragment or "@" in url.netloc or " " in text)
    return bool(url.scheme in ("http", "https") and url.hostname and port and only_place)


def connected(
    patience: float,
) -> Callable[[Callable[Concatenate[Connection, P], R]], Callable[..., R]]:
    """Adds the options that name a gateway; the command takes the connection as its first argument.

    `patience` is the default of --timeout, in seconds.
    """

    def add(command: Callable[Concatenate[Connection, P], R]) -> Callable[..., R]:
        @click.option(
            "--endpoint",
            envvar="MEDIAFLEET_ENDPOINT",
            show_envvar=True,
            metavar="HOST:PORT",
            callback=endpoints,
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
            help=f"Of `mediafleet dev`; {DEV_ENDPOINTS} is found by itself. Its token is for its own gateways.",
        )
        @click.option(
            "--timeout",
            default=patience,
            show_default=True,
            type=click.FloatRange(min=0.1, max=LONGEST),
            help="Seconds of trouble without any progress until it gives up.",
        )
        @wraps(command)
        def run(
            endpoint: list[str], token: str | None, endpoints_file: Path | None, timeout: float, **arguments: Any
        ) -> R:
            work: Callable[..., R] = command
            return work(resolve(endpoint, token, endpoints_file, timeout), **arguments)

        return run

    return add


def resolve(named: Sequence[str], token: str | None, endpoints_file: Path | None, timeout: float) -> Connection:
    """The named gateways, else those of the endpoints file; a token of the file goes to no other gateway."""
    try:
        targets, own_token = _dev_server(endpoints_file or DEV_ENDPOINTS)
    except click.UsageError:
        if not named:
            raise
        targets, own_token = [], ""
    if named and not set(named) <= set(targets):
        own_token = ""
    absent = ""
    if not named and not targets:
        absent = (
            f"there is no file {endpoints_file}; is `mediafleet dev` running?"
            if endpoints_file
            else "no dev server runs in this folder: start `make run` or `mediafleet dev`; "
            "for any other gateway pass --endpoint or set MEDIAFLEET_ENDPOINT"
        )
    return Connection(list(named) or targets, token or own_token, timeout, absent)


def _dev_server(file: Path) -> tuple[list[str], str]:
    """Its gateways and token; none if there is no such file."""
    try:
        known = json.loads(file.read_text())
        return [str(each) for each in known["gateways"]], str(known.get("token", ""))
    except FileNotFoundError:
        return [], ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise click.UsageError(f"{file} cannot be read as endpoints of `mediafleet dev`") from None
