"""What storage costs, by a dated table of prices. Pure."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeAlias

import msgspec

from mediafleet_core.usage import Operations

GB = 1_000_000_000
MILLION = 1_000_000

_Amount: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for a GB that is stored for a month and for a million operations, and what is free in each month.

    The defaults are Cloudflare R2's public prices of standard storage as they were on `date`.
    """

    date: date = date(2026, 8, 3)
    gb_month: _Amount = 0.015
    class_a_million: _Amount = 4.50
    class_b_million: _Amount = 0.36
    free_gb: _Amount = 10
    free_class_a: _Amount = 1_000_000
    free_class_b: _Amount = 10_000_000

    def monthly(self, size: int, operations: Operations) -> float:
        """Dollars for so many bytes all month long and so many operations, what is free taken off."""
        return (
            max(0.0, size / GB - self.free_gb) * self.gb_month
            + max(0.0, operations.class_a - self.free_class_a) / MILLION * self.class_a_million
            + max(0.0, operations.class_b - self.free_class_b) / MILLION * self.class_b_million
        )
