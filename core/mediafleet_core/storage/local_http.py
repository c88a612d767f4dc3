"""The local file server: serves the signed URLs of `LocalStore`, in development as R2 does in production.

`python -m mediafleet_core.storage.local_http` listens on MEDIAFLEET_STORAGE_ADDRESS, by default on loopback only.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from email.utils import format_datetime
from typing import BinaryIO

import structlog
from aiohttp import web

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ports import StoredObject
from mediafleet_core.settings import SettingsError, read
from mediafleet_core.storage import Backend, StorageSettings, open_local, signer_of
from mediafleet_core.storage.bodies import CHUNK
from mediafleet_core.storage.links import Link, LinkSigner, content_disposition
from mediafleet_core.storage.local import LocalStore
from mediafleet_core.telemetry import logs, metrics

_NOT_VALID = "This link is not valid: a part of it was changed or is missing.\n"


def application(store: LocalStore, signer: LinkSigner) -> web.Application:
    """GET and HEAD of signed URLs, nothing else."""

    async def serve(request: web.Request) -> web.StreamResponse:
        link = _checked(request, signer)
        try:
            file, stored = await asyncio.to_thread(store.open, link.key)
        except MediafleetError as error:
            if error.reason is Reason.ORIGINAL_MISSING:
                raise web.HTTPNotFound(text="This file does not exist any more.\n") from None
            raise
        with file:
            return await _send(request, link, file, stored)

    app = web.Application()
    app.router.add_get("/{key:.+}", serve)
    return app


def _checked(request: web.Request, signer: LinkSigner) -> Link:
    query = request.query
    try:
        link = Link(
            request.match_info["key"],
            int(query["expires"]),
            query["name"],
            query["type"],
            query["attachment"] == "1",
        )
        genuine = signer.matches(link, query["signature"])
    except (KeyError, ValueError):
        raise web.HTTPForbidden(text=_NOT_VALID) from None
    if not genuine:
        raise web.HTTPForbidden(text=_NOT_VALID)
    if link.expired:
        raise web.HTTPForbidden(text="This link has expired: ask for a new one.\n")
    return link


async def _send(request: web.Request, link: Link, file: BinaryIO, stored: StoredObject) -> web.StreamResponse:
    wanted = _wanted(request, stored)
    start, stop = wanted or (0, stored.size)
    response = web.StreamResponse(status=206 if wanted else 200)
    if wanted:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size}"
    response.headers.update(
        {
            "Accept-Ranges": "bytes",
            "Content-Type": link.type or stored.content_type,
            "Content-Disposition": content_disposition(link.name, as_attachment=link.attachment),
            "ETag": f'"{stored.etag}"',
            # What people uploaded must not act as a page of this server.
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; sandbox",
        }
    )
    if stored.modified:
        response.headers["Last-Modified"] = format_datetime(stored.modified, usegmt=True)
    response.content_length = stop - start
    await response.prepare(request)
    if request.method != "HEAD":
        file.seek(start)
        with suppress(ConnectionResetError):  # a player that seeks hangs up
            while start < stop and (chunk := await asyncio.to_thread(file.read, min(CHUNK, stop - start))):
                await response.write(chunk)
                start += len(chunk)
            await response.write_eof()
    return response


def _wanted(request: web.Request, stored: StoredObject) -> tuple[int, int] | None:
    """First byte and the one after the last, if one range is asked for and If-Range still holds; None: everything."""
    etag = f'"{stored.etag}"'
    if "Range" not in request.headers or request.headers.get("If-Range", etag) != etag:
        return None
    try:
        start, stop, _ = request.http_range.indices(stored.size)
    except ValueError:
        return None  # several ranges or another unit: the whole is a right answer (RFC 9110, 14.2)
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable(
            headers={"Content-Range": f"bytes */{stored.size}"}, text="The file has no such bytes.\n"
        )
    return start, stop


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 if the settings are wrong."""
    try:
        settings = read(StorageSettings)
        if settings.backend is not Backend.LOCAL:
            raise SettingsError("MEDIAFLEET_STORAGE: the file server serves local storage only; set it to local.")
        app = application(open_local(settings), signer_of(settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure("storage")
    where = metrics.address(settings.storage_address)
    structlog.get_logger(__name__).info("listening", address=str(where))
    # No access log: signed URLs are secrets while they live.
    web.run_app(app, host=where.host, port=where.port, access_log=None, print=None, shutdown_timeout=5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
