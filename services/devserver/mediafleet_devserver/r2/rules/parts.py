"""Parts of a multipart: numbered 1 to 10,000, at least 5 MiB, and all of one size but the last."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple
from xml.etree import ElementTree

from moto.s3.models import FakeKey, FakeMultipart

from mediafleet_devserver.r2.contents import multipart_of
from mediafleet_devserver.r2.operations import Operation
from mediafleet_devserver.r2.refusals import Refused
from mediafleet_devserver.r2.request import S3Request
from mediafleet_devserver.r2.rules.integrity import CHECKSUMS

MAX_PARTS = 10_000
MIN_PART = 5 << 20
"""Bytes of every part but the last."""


class NamedPart(NamedTuple):
    """A part as Complete names it."""

    number: int
    etag: str
    checksum: str


def parts_are_equal(request: S3Request) -> None:
    """Raises NoSuchUpload, InvalidArgument, MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall.

    As with R2, parts of different sizes are found out at Complete and not before.
    """
    match request.operation:
        case Operation.UPLOAD_PART | Operation.UPLOAD_PART_COPY:
            multipart_of(request)
            number = request.parameters.get("partNumber", "")
            if not (number.isascii() and number.isdigit() and 1 <= int(number) <= MAX_PARTS):
                raise Refused("InvalidArgument", 400, f"Part number must be between 1 and {MAX_PARTS}, inclusive.")
        case Operation.LIST_PARTS | Operation.ABORT_MULTIPART_UPLOAD:
            multipart_of(request)
        case Operation.COMPLETE_MULTIPART_UPLOAD:
            multipart, named = multipart_of(request), _named_in(request.body)
            _check_sizes([_stored(multipart, part) for part in named])


def _named_in(body: bytes) -> list[NamedPart]:
    try:
        document = ElementTree.fromstring(body)
        named = [
            NamedPart(
                number=int(part.findtext("{*}PartNumber", "")),
                etag=part.findtext("{*}ETag", "").strip('"'),
                checksum=next((child.text or "" for child in part if "}Checksum" in child.tag), ""),
            )
            for part in document.iterfind("{*}Part")
        ]
    except (ElementTree.ParseError, ValueError):
        named = []
    if not named:
        raise Refused("MalformedXML", 400, "The XML you provided was not well-formed or did not name a part.")
    numbers = [part.number for part in named]
    if numbers != sorted(set(numbers)):
        raise Refused("InvalidPartOrder", 400, "The list of parts was not in ascending order.")
    return named


def _stored(multipart: FakeMultipart, named: NamedPart) -> FakeKey:
    part = multipart.parts.get(named.number)
    if part is None or part.etag.strip('"') != named.etag:
        raise Refused("InvalidPart", 400, "One or more of the specified parts could not be found.")
    algorithm = multipart.metadata.get("x-amz-checksum-algorithm", "").upper()
    if algorithm and named.checksum != b64encode(CHECKSUMS[algorithm](part.value)).decode():
        raise Refused(
            "InvalidPart", 400, f"The upload was created using {algorithm}: each part must be named with its checksum."
        )
    return part


def _check_sizes(parts: list[FakeKey]) -> None:
    *all_but_last, last = [part.contentsize for part in parts]
    if all_but_last and (len(set(all_but_last)) > 1 or last > all_but_last[0]):
        raise Refused("InvalidPart", 400, "All non-trailing parts must have the same length. (10048)")
    if all_but_last and all_but_last[0] < MIN_PART:
        raise Refused("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed object size.")
