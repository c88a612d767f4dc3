"""Wrong arguments are refused before anything is sent: by TypeError, or by InvalidArgument if the value is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache, wraps
from inspect import Parameter, Signature, isasyncgenfunction, signature
from numbers import Integral, Real
from os import PathLike
from reprlib import repr as shortened
from types import NoneType, UnionType
from typing import Any, BinaryIO, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from mediafleet.errors import FieldViolation, InvalidArgument

M = TypeVar("M", bound=Callable[..., Any])

_INT32, _INT64 = 2**31 - 1, 2**63 - 1
_RANGES = {"at_once": (1, _INT64), "page_size": (0, _INT32), "series": (0, _INT32)}
"""Of numbers, where it is not all that the contract can write and that is not negative."""

_LONGEST = timedelta(days=3_652_500)
"""Ten thousand years, which the contract can write."""

_WORDS = {
    str: "text",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    Mapping: "a mapping of text to text",
    Iterable: "a list or another iterable",
    Callable: "a function",
    PathLike: "a path",
    NoneType: "None",
}


def checked(method: M) -> M:
    """The method, refusing what is not as its annotations say: when it is awaited, or called if it is a stream."""

    @wraps(method)
    def stream(*args: Any, **kwargs: Any) -> Any:
        _check(method, args, kwargs)
        return method(*args, **kwargs)

    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        _check(method, args, kwargs)
        return await method(*args, **kwargs)

    return cast(M, stream if isasyncgenfunction(method) else call)


def _check(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    expected, hints = _expected(method)
    for name, given in expected.bind(*args, **kwargs).arguments.items():
        parameter = expected.parameters[name]
        several = parameter.kind is Parameter.VAR_POSITIONAL
        for value in (given if several else (given,)) if name in hints else ():
            _check_one(name, value, hints[name], required=not several and parameter.default is Parameter.empty)


@cache
def _expected(method: Callable[..., Any]) -> tuple[Signature, Mapping[str, Any]]:
    return signature(method), get_type_hints(method)


def _check_one(name: str, value: Any, hint: Any, *, required: bool) -> None:
    if not _fits(value, hint):
        if get_origin(hint) is not Literal or not isinstance(value, str):
            raise TypeError(f"`{name}` is {_words(hint)}, not {_told(value)}")
        wrong = f"must be {_words(hint)}, not {shortened(value)}"
    else:
        wrong = _wrong(name, value, required)
    if wrong:
        violation = FieldViolation(name, wrong)
        raise InvalidArgument(f"{name}: {wrong}", reason="FIELD_INVALID", violations=(violation,))


def _fits(value: Any, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if kind is Literal:
        return value in get_args(hint)
    if kind is BinaryIO:  # whatever has bytes; who opens it looks closer
        return True
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    if kind is Iterable:  # text and files are iterable too, and one of what is asked for
        return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | memoryview | PathLike)
    if kind is Mapping:
        return isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair)
    return isinstance(value, kind)


def _wrong(name: str, value: Any, required: bool) -> str:
    """What is wrong with a value of the right type; "" if nothing is."""
    least, most = _RANGES.get(name, (0, _INT64))
    match value:
        case "" if required:
            return "must not be empty"
        case bool():
            return ""
        case Real() if not cast(float, value) >= least:  # which no NaN is
            return f"must be at least {least}"
        case Integral() if int(value) > most:
            return f"must be at most {most}"
        case timedelta() if not timedelta() <= value <= _LONGEST:
            return "must not be negative, nor longer than ten thousand years"
        case datetime() if value.utcoffset() is None:
            return "must be aware of its zone, as datetime.now(UTC) is"
    return ""


def _words(hint: Any) -> str:
    """What is allowed, as a sentence goes on."""
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType, Literal):
        allowed = [f'"{each}"' if kind is Literal else _words(each) for each in get_args(hint)]
        return " or ".join(filter(None, (", ".join(allowed[:-1]), allowed[-1])))
    return _WORDS.get(kind) or _article(kind.__name__)


def _told(value: Any) -> str:
    """A value of the wrong type: its type, where that is what is wrong with it."""
    return shortened(value) if value is None or isinstance(value, Mapping) else _article(type(value).__name__)


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
