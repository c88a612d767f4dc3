"""Limits of a tenant, and the arithmetic of quota. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from mediafleet_core.errors import FieldViolation, MediafleetError, Reason
from mediafleet_core.media_types import MediaKind, essence

MIB = 1 << 20
GIB = 1 << 30


_MAX_UPLOAD_BYTES = {
    MediaKind.IMAGE: 100 * MIB,
    MediaKind.AUDIO: GIB,
    MediaKind.VIDEO: 10 * GIB,
    MediaKind.DOCUMENT: 200 * MIB,
    MediaKind.OTHER: 10 * GIB,
}


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tenant may store; sizes in bytes. `allowed_types` are content types or families such as `image/*`.

    `concurrent_uploads` and `bytes_in_flight` are what it may send at once, to each gateway process.
    `weight` is its share of the workers, and of the copies of imports, while others wait too; `running_uploads` is how
    many of its uploads they work on at once, per kind, without limit for kinds left out.
    `history_days` is how long what has ended stays in the history, for ever unless given; then it is archived and goes,
    and with `history_objects` set to "delete" its objects go too.
    """

    max_upload_bytes: dict[MediaKind, int] = msgspec.field(default_factory=_MAX_UPLOAD_BYTES.copy)
    tenant_bytes: int = 1024 * GIB
    collection_bytes: int = 10 * GIB
    allowed_types: tuple[str, ...] = ()
    concurrent_uploads: int = 64
    bytes_in_flight: int = 256 * MIB
    weight: Annotated[float, msgspec.Meta(ge=0.01, le=100)] = 1.0
    running_uploads: dict[MediaKind, Annotated[int, msgspec.Meta(ge=1)]] = {}
    history_days: Annotated[int, msgspec.Meta(ge=1, le=36500)] | None = None
    history_objects: Literal["keep", "delete"] = "keep"

    def largest(self, kind: MediaKind) -> int:
        """The most bytes one upload of this kind may have."""
        return self.max_upload_bytes.get(kind, _MAX_UPLOAD_BYTES[kind])

    def check_size(self, kind: MediaKind, size_bytes: int) -> None:
        """Raise OBJECT_TOO_LARGE."""
        limit = self.largest(kind)
        if size_bytes > limit:
            text = f"{size_bytes} bytes are more than the {limit} allowed for {kind.lower()} files"
            raise MediafleetError(
                Reason.OBJECT_TOO_LARGE,
                text,
                metadata={"limit": str(limit)},
                violations=[FieldViolation("spec.size_bytes", text)],
            )

    def check_type(self, content_type: str) -> None:
        """Raise CONTENT_TYPE_NOT_ALLOWED, when there is an allow-list and it does not cover the type."""
        bare = essence(content_type)
        family = bare.partition("/")[0] + "/*"
        if self.allowed_types and bare not in self.allowed_types and family not in self.allowed_types:
            raise MediafleetError(
                Reason.CONTENT_TYPE_NOT_ALLOWED,
                f"files of type {content_type or 'unknown'} are not allowed here",
                metadata={"allowed": ", ".join(self.allowed_types)},
            )
