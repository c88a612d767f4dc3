"""The rules that request fields keep; every broken one is told at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mediafleet_core.errors import FieldViolation, MediafleetError, Reason
from mediafleet_core.identity import is_name

MAX_DISPLAY_NAME = 255
MAX_PATH = 1_024
MAX_CAPTION = 2_000
MAX_LABELS = 64
MAX_LABEL_VALUE = 255
MAX_REQUEST_ID = 128
MAX_REASON = 500

_TEXT_DIRECTION = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""With these a name can show another extension than it has."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LABEL = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}(\s*;[ -~]{0,126})?", re.I)


class Fields:
    """Collects what is wrong with a request's fields; each check names its field by the path in the proto."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self._violations: list[FieldViolation] = []

    def require(self, holds: bool, field: str, description: str) -> bool:
        """Note a violation unless `holds`; returns `holds`."""
        if not holds:
            self._violations.append(FieldViolation(field, description))
        return holds

    def check(self) -> None:
        """Raise FIELD_INVALID with every violation, if there is any."""
        if self._violations:
            first, more = self._violations[0], len(self._violations) - 1
            text = f"{first.field} {first.description}" + (f" (and {more} more)" if more else "")
            raise MediafleetError(Reason.FIELD_INVALID, text, violations=self._violations)

    def identifier(self, field: str, text: str) -> None:
        """An id as this server makes them: a UUID in lower case."""
        self.require(_UUID.fullmatch(text) is not None, field, "must be a UUID in canonical lower-case form")

    def name(self, field: str, text: str) -> None:
        """A collection, preset or step."""
        self.require(is_name(text), field, "must be 1 to 63 of a-z, 0-9, dot, dash and underscore")

    def display_name(self, field: str, text: str) -> None:
        """A file name: it must be safe to save under on any system."""
        self.require(
            0 < len(text.encode(errors="replace")) <= MAX_DISPLAY_NAME,
            field,
            f"must have 1 to {MAX_DISPLAY_NAME} bytes",
        )
        visible = any(unicodedata.category(character)[0] in "LNPSM" for character in text)
        self.require(
            visible
            and not _has_controls(text)
            and not set(text) & {"/", "\\", *_TEXT_DIRECTION}
            and text not in {".", ".."},
            field,
            "must be a visible file name without path separators, control characters and changes of text direction",
        )

    def media_type(self, field: str, text: str) -> None:
        """A media type with its parameters, or nothing."""
        self.require(not text or _MEDIA_TYPE.fullmatch(text) is not None, field, "must look like type/subtype")

    def line(self, field: str, text: str, longest: int) -> None:
        """Text of one line, up to `longest` characters."""
        self.require(len(text) <= longest, field, f"must have at most {longest} characters")
        self.require(not _has_controls(text), field, "must have no control characters")

    def caption(self, field: str, text: str) -> None:
        """Text for people, of several lines perhaps."""
        self.line(field, text.translate({ord("\n"): " ", ord("\r"): " ", ord("\t"): " "}), MAX_CAPTION)

    def labels(self, field: str, labels: Mapping[str, str]) -> None:
        """The caller's own marks."""
        self.require(len(labels) <= MAX_LABELS, field, f"must have at most {MAX_LABELS} entries")
        self.require(
            all(_LABEL.fullmatch(key) for key in labels),
            field,
            "must have keys of 1 to 63 of a-z, 0-9, dot, dash, underscore and slash",
        )
        self.require(
            all(len(value) <= MAX_LABEL_VALUE and not _has_controls(value) for value in labels.values()),
            field,
            f"must have values of at most {MAX_LABEL_VALUE} characters without control characters",
        )

    def known(self, field: str, number: int, numbers: Collection[int]) -> bool:
        """An enum value that this server knows; returns whether it is."""
        return self.require(number in numbers, field, "must be a value that this server knows")

    def span(self, field: str, span: Duration, least: timedelta, most: timedelta) -> timedelta:
        """A span within bounds; answers `least` where it is not."""
        # Compared as numbers: a Duration may exceed what a timedelta can hold.
        seconds = span.seconds + span.nanos / 1e9
        text = f"must be {least.total_seconds():g} to {most.total_seconds():g} seconds"
        fits = self.require(least.total_seconds() <= seconds <= most.total_seconds(), field, text)
        return timedelta(seconds=seconds) if fits else least

    def time(self, field: str, time: Timestamp) -> datetime | None:
        """An instant that a calendar can show."""
        try:
            return time.ToDatetime(UTC)
        except (ValueError, OverflowError):
            self.require(False, field, "must be a time between the years 1 and 9999")
            return None


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text)
