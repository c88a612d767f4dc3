"""R2's rules, one a module: each takes a request and returns, or raises `Refused`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from mediafleet_devserver.r2.request import S3Request
from mediafleet_devserver.r2.rules.authentication import Authentication
from mediafleet_devserver.r2.rules.copies import copies_are_of_what_was_meant
from mediafleet_devserver.r2.rules.features import only_what_r2_has
from mediafleet_devserver.r2.rules.integrity import bodies_arrive_unharmed
from mediafleet_devserver.r2.rules.parts import parts_are_equal
from mediafleet_devserver.r2.rules.permissions import Permissions
from mediafleet_devserver.r2.rules.write_rate import WriteRate
from mediafleet_devserver.r2.settings import R2Settings

Rule: TypeAlias = Callable[[S3Request], None]


class Rules(NamedTuple):
    """In the order in which they are asked; a later one may rely on those before it."""

    of_requests: Sequence[Rule]
    """They look at the request alone."""
    of_contents: Sequence[Rule]
    """They look at what is stored, which must not change before the request is carried out."""


def rules(settings: R2Settings, write_interval: timedelta, now: Callable[[], datetime]) -> Rules:
    """All of them."""
    return Rules(
        of_requests=(
            Authentication(settings.access_keys, now),
            only_what_r2_has,
            Permissions(settings.access_keys, settings.r2_bucket_name),
            bodies_arrive_unharmed,
        ),
        of_contents=(parts_are_equal, copies_are_of_what_was_meant, WriteRate(write_interval)),
    )
