"""An S3 endpoint that lists objects which it does not have, each page after a pause, as a bucket far away does.

It checks no signature, and says at /_seen how many pages it told and how many it was asked for at once.

    python -m benchmarks.listed_s3 HOST:PORT KEYS MILLISECONDS

KEYS is a file with one key a line, in order; every object has 1,000 bytes.
"""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

SIZE = 1000
_PAGE = 1000
_MADE = "2026-01-01T00:00:00.000Z"


class Listing:
    """Keys in order, and what was asked of them."""

    def __init__(self, keys: Sequence[str], pause: float) -> None:
        self._keys, self._pause = keys, pause
        self._under_way = self.most = self.pages = 0

    async def answer(self, request: web.Request) -> web.Response:
        """A page of ListObjectsV2; there is nothing else here."""
        if request.path == "/_seen":
            return web.json_response({"pages": self.pages, "most": self.most})
        if request.query.get("list-type") != "2":
            nothing = "ListMultipartUploadsResult" if "uploads" in request.query else "Error"
            return _xml(nothing, "<Code>NoSuchKey</Code>")
        self._under_way += 1
        self.most, self.pages = max(self.most, self._under_way), self.pages + 1
        try:
            await asyncio.sleep(self._pause)
        finally:
            self._under_way -= 1
        prefix, after = request.query.get("prefix", ""), request.query.get("start-after", "")
        after = request.query.get("continuation-token", after)
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        end = bisect_left(self._keys, prefix + "\U0010ffff")
        page = self._keys[first : min(end, first + _PAGE)]
        about = f'<Size>{SIZE}</Size><ETag>"e"</ETag><LastModified>{_MADE}</LastModified>'
        entries = "".join(f"<Contents><Key>{key}</Key>{about}</Contents>" for key in page)
        more = first + _PAGE < end
        token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        return _xml("ListBucketResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}")


def _xml(name: str, content: str) -> web.Response:
    status = 404 if name == "Error" else 200
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'
    return web.Response(text=text, content_type="application/xml", status=status)


def main(address: str, keys: str, pause: str) -> None:
    """Serves until it is ended."""
    host, _, port = address.rpartition(":")
    listing = Listing(Path(keys).read_text().split(), float(pause) / 1000)
    server = web.Application()
    server.router.add_route("*", "/{path:.*}", listing.answer)
    web.run_app(server, host=host, port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
