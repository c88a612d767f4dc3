"""What is asked of a Prometheus."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen


class Series(NamedTuple):
    """One series: its labels, and values by time (seconds since 1970), in order."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float:
        """The last value that is a number; NaN if none is."""
        return next((value for _, value in reversed(self.points) if not math.isnan(value)), math.nan)


class QueryError(Exception):
    """Prometheus refused an expression; the text is its own."""


class Prometheus:
    """A server, by its base URL."""

    def __init__(self, url: str) -> None:
        """Asks nothing yet."""
        self._url = url.rstrip("/")

    def at(self, expr: str, time: float | None = None) -> list[Series]:
        """The instant vector at a time, or now. Raises QueryError, or OSError if nothing answers."""
        when = {} if time is None else {"time": time}
        found = self.get("query", query=expr, **when)["result"]
        if not isinstance(found, list) or (found and not isinstance(found[0], dict)):
            at, value = found  # a scalar
            return [Series({}, [(float(at), float(value))])]
        return [_series(each["metric"], [each["value"]]) for each in found]

    def over(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """What it was from `start` to `end`. Raises as `at`."""
        found = self.get("query_range", query=expr, start=start, end=end, step=step)["result"]
        return [_series(each["metric"], each["values"]) for each in found]

    def get(self, path: str, **parameters: object) -> Any:
        """The data of any answer of its API. Raises as `at`."""
        try:
            with urlopen(f"{self._url}/api/v1/{path}?{urlencode(parameters)}", timeout=60) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise  # it is starting
            raise QueryError(json.load(error).get("error", str(error))) from None


def _series(labels: Mapping[str, str], values: Sequence[Sequence[Any]]) -> Series:
    named = {name: value for name, value in labels.items() if name != "__name__"}
    return Series(named, [(float(at), float(value)) for at, value in values])
