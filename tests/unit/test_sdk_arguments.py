"""Wrong arguments of any method are refused by name, before anything connects, and nothing goes on behind it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from inspect import Parameter, signature
from types import MappingProxyType
from typing import Any

import pytest

from mediafleet import (
    AsyncClient,
    Batch,
    BatchFilter,
    Client,
    Importable,
    InvalidArgument,
    Unauthenticated,
    Upload,
    UploadFilter,
)

NAN = float("nan")
NAIVE = datetime(2026, 7, 1)  # noqa: DTZ001
SPANS = [-timedelta(seconds=1), timedelta.max, 5, NAN, "1s"]
COUNTS = [-1, -(10**400), 2**64, 10**400, NAN, 1.5, "5", None, True]
LABELS = ["album", 5, ["album"], {"album": 1}, {1: "summer"}, {"album": None}]
WORDS = ["week", 5, None, ["day"]]
SEVERAL = [None, 5, "one", b"one", Upload()]

WRONG: Mapping[str, list[Any]] = MappingProxyType(
    {
        "str": [None, 5, b"text", ["text"], Upload(upload_id="u-1")],
        "str | None": [5, b"text", ["text"]],
        "bool": [None, 1, "yes"],
        "int": COUNTS,
        "int | None": COUNTS[:7],
        "float | None": [-1, 10**400, NAN, "5", True, timedelta(seconds=1)],
        "datetime": [NAIVE, "2026-07-01", 5, None],
        "datetime | None": [NAIVE, "2026-07-01", 5],
        "timedelta | None": SPANS,
        "Mapping[str, str] | None": LABELS,
        "Granularity": WORDS,
        "Order": WORDS,
        "Transfer": WORDS,
        "Callback | None": ["print", 5],
        "BatchCallback | None": ["print", 5],
        "ImportCallback | None": ["print", 5],
        "Callable[[int, UploadProgress], object] | None": ["print", 5],
        "Callable[[int, pb.Upload], object] | None": ["print", 5],
        "Readable": ["", None, 5, ["a.jpg"]],
        "Iterable[Readable]": SEVERAL,
        "Iterable[pb.Importable]": SEVERAL,
        "str | os.PathLike[str]": [None, 5, b"folder"],
        "pb.UploadFilter | None": ["text", 5, {"text": "a"}, BatchFilter()],
        "pb.BatchFilter | None": ["text", 5, {"text": "a"}, UploadFilter()],
        "pb.Importable": [None, "key", Upload()],
    }
)
"""By what a parameter is annotated with: every annotation that there is."""

RIGHT: Mapping[str, Any] = MappingProxyType(
    {
        "source": b"content",
        "sources": (),
        "upload_id": "u-1",
        "batch_id": "b-1",
        "queue": "image",
        "since": datetime(2026, 7, 1, tzinfo=UTC),
    }
)
"""Of arguments that a call cannot do without."""

ROOMS = ("", "batches", "imports", "notifications")


def methods(client: type | object) -> list[str]:
    """Of the client and its rooms, as in `batches.create`."""
    found = []
    for room in ROOMS:
        here = getattr(client, room) if room else client
        names = [name for name in dir(type(here)) if not name.startswith("_") and name not in ("close", "target")]
        found += [f"{room}.{name}".removeprefix(".") for name in names]
    return found


def method_of(client: object, name: str) -> Any:
    for part in name.split("."):
        client = getattr(client, part)
    return client


def wrong_calls(method: Any) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The name of the wrong argument, and the arguments."""
    parameters = signature(method).parameters.values()
    needed = {each.name: each for each in parameters if each.default is Parameter.empty}
    for parameter in parameters:
        required = parameter.name in needed and parameter.annotation == "str"
        for value in [*WRONG[parameter.annotation], *([""] if required else [])]:
            if parameter.kind is Parameter.VAR_POSITIONAL:
                yield parameter.name, (1, value), {}
                continue
            others = {name: right(each) for name, each in needed.items() if each.kind is not Parameter.VAR_POSITIONAL}
            yield parameter.name, (), {**others, parameter.name: value}


def right(parameter: Parameter) -> Any:
    if parameter.annotation == "pb.Importable":
        return Importable(key="a.jpg", etag="e")
    return RIGHT[parameter.name]


@pytest.fixture(scope="module")
def nobody() -> Iterator[socket.socket]:
    """Where whoever connects is seen."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.fixture
def address(nobody: socket.socket) -> str:
    return "{}:{}".format(*nobody.getsockname())


def fits(refused: object, name: str) -> bool:
    """Whether it is a sentence that names the argument, or the source that it is none."""
    if isinstance(refused, InvalidArgument):
        (violation,) = refused.violations
        return violation.field == name and str(refused) == f"FIELD_INVALID: {name}: {violation.description}"
    no_source = name == "source" and "is no source; take a path" in str(refused)
    return isinstance(refused, TypeError) and (no_source or f"`{name}` is " in str(refused))


async def test_the_asynchronous_client_refuses_what_is_wrong(address: str) -> None:
    async with AsyncClient(address) as client:
        for name in methods(client):
            for argument, args, kwargs in wrong_calls(method_of(client, name)):
                try:
                    called = method_of(client, name)(*args, **kwargs)
                    refused: object = await (anext(called) if hasattr(called, "__anext__") else called)
                except Exception as error:
                    refused = error
                assert fits(refused, argument), f"{name}({args}, {kwargs}): {refused!r}"
        assert asyncio.all_tasks() == {asyncio.current_task()}


def test_the_synchronous_client_refuses_what_is_wrong(address: str) -> None:
    with Client(address) as client:
        for name in methods(client):
            for argument, args, kwargs in wrong_calls(method_of(client, name)):
                with pytest.raises((TypeError, InvalidArgument)) as caught:
                    method_of(client, name)(*args, **kwargs)  # also a stream of which nothing is taken
                assert fits(caught.value, argument), f"{name}({args}, {kwargs}): {caught.value!r}"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda client: client.usage_history(granularity="week"), 'must be "hour", "day" or "month", not \'week\''),
        (lambda client: client.usage_history(NAIVE), "must be aware of its zone, as datetime.now(UTC) is"),
        (lambda client: client.list("text"), "`filter` is an UploadFilter or None, not a str"),
        (lambda client: client.upload_many([], at_once=0), "at_once: must be at least 1"),
        (lambda client: client.list(page_size=2**31), "page_size: must be at most 2147483647"),
        (lambda client: client.get(""), "upload_id: must not be empty"),
        (lambda client: client.batches.get(Batch()), "`batch_id` is text, not a Batch"),
        (lambda client: client.batches.create(labels={"a": 1}), "`labels` is a mapping of text to text or None, not {"),
    ],
)
def test_a_refusal_tells_what_is_allowed(call: Any, told: str, address: str) -> None:
    with Client(address) as client, pytest.raises((TypeError, InvalidArgument), match=re.escape(told)):
        call(client)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"targets": 5}, "`targets` is a list"),
        ({"targets": iter(["127.0.0.1:1"])}, "`targets` is a list"),
        ({"targets": ["127.0.0.1:1", ""]}, "and not empty"),
        ({"timeout": "5"}, "`timeout` is a number"),
        ({"timeout": 0}, "`timeout` is more than 0"),
        ({"timeout": NAN}, "`timeout` is more than 0"),
        ({"timeout": float("inf")}, "at most 1,000,000"),
        ({"credentials": "secret"}, "ssl_channel_credentials"),
    ],
)
def test_a_client_made_of_something_wrong_says_so_at_once(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        AsyncClient(**{"targets": ["127.0.0.1:1"], **wrong})


@pytest.mark.parametrize("token", ["se\ncret", "secr\u00ebt", "secret\udcff", "secret\0"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_told(token: str, address: str) -> None:
    for given in (token, lambda: token):
        with Client(address, token=given) as client, pytest.raises(Unauthenticated, match="TOKEN_INVALID") as refused:
            client.fleet()
        assert "sec" not in str(refused.value)


def test_a_function_that_gives_no_token_is_told(address: str) -> None:
    gives_none: Any = lambda: None  # noqa: E731
    with Client(address, token=gives_none) as client, pytest.raises(TypeError, match="`token` is text"):
        client.fleet()
