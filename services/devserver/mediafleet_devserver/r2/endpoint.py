"""The endpoint as a WSGI application: planned faults, then R2's rules, then moto."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError
from werkzeug.wrappers import Response

from mediafleet_devserver.r2.archive import Archive
from mediafleet_devserver.r2.begun import Begun
from mediafleet_devserver.r2.contents import STATE, make_bucket, s3_application
from mediafleet_devserver.r2.faults import Fault, FaultKind, Faults, break_connection, crawl, lie_about_etag
from mediafleet_devserver.r2.refusals import Refused
from mediafleet_devserver.r2.request import S3Request
from mediafleet_devserver.r2.rules import Rule, rules
from mediafleet_devserver.r2.settings import R2Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PREFLIGHT = "OPTIONS"
"""A browser asks whether a page of another origin may send a request; moto answers by the bucket's CORS rules."""

HEALTH = "/_health"
FAULTS = "/_faults"
"""PUT a JSON list of `Fault` here to plan them instead of the former. No bucket can have such a name."""

# moto verifies no signature, but treats requests without this header, presigned ones too, in ways of its own; and it
# knows the regions of AWS alone.
_SIGNED = "AWS4-HMAC-SHA256 Credential=r2/20000101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=verified"

_log = logging.getLogger(__name__)
_FAULT_LIST = TypeAdapter(list[Fault])


class R2Endpoint:
    """One bucket under R2's rules. All endpoints of a process share moto's state, so their buckets differ in name."""

    def __init__(
        self,
        settings: R2Settings,
        *,
        data_dir: Path | None = None,
        write_interval: timedelta = timedelta(seconds=1),
        clock_ahead: timedelta = timedelta(0),
    ) -> None:
        """Makes the bucket, with the objects that `data_dir` keeps; without one they live in memory only.

        `clock_ahead` is what its clock differs from that of this machine.
        """
        self.faults = Faults()
        self._clock_ahead = clock_ahead
        self._rules = rules(settings, write_interval, self._now)
        self._s3 = s3_application()
        self._begun = Begun()
        make_bucket(settings.r2_bucket_name)
        self._archive = Archive(data_dir, settings.r2_bucket_name) if data_dir else None
        if self._archive:
            self._archive.restore()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """See WSGI."""
        request = S3Request.read(environ)
        response = self._answer(request, environ)
        response.date = self._now()
        return response(environ, start_response)

    def _answer(self, request: S3Request, environ: WSGIEnvironment) -> Response:
        if request.path == HEALTH:
            return Response("ok\n")
        if request.path == FAULTS and request.method == "PUT":
            return self._plan(request.body)
        fault = self.faults.next(request.operation)
        try:
            if fault:
                fault.refuse()
            if fault and fault.kind is FaultKind.RESET:
                break_connection(environ)
            _ask(self._rules.of_requests, request)
            with STATE:
                _ask(self._rules.of_contents, request)
                response = self._obey(request, environ)
            self._keep(request, response)
        except Refused as refused:
            return refused.response()
        if fault and fault.kind is FaultKind.LOSE_ANSWER:
            break_connection(environ)
        if fault and fault.kind is FaultKind.WRONG_ETAG:
            lie_about_etag(response)
        if fault and fault.kind is FaultKind.CRAWL:
            crawl(response, fault.bytes_per_second)
        return response

    def _obey(self, request: S3Request, environ: WSGIEnvironment) -> Response:
        environ["HTTP_AUTHORIZATION"] = _SIGNED
        try:
            response = Response.from_app(self._s3, environ, buffered=True)
            self._begun.correct(request.operation, response)
        except Exception as error:
            raise _failed("moto", request, error) from error
        # moto computes CRC32C with a library that it does not require, and another algorithm without.
        for name in [name for name in response.headers.keys() if name.lower().startswith("x-amz-checksum-")]:  # noqa: SIM118
            del response.headers[name]
        return response

    def _keep(self, request: S3Request, response: Response) -> None:
        if self._archive and response.status_code < 300:
            try:
                self._archive.follow(request)
            except OSError as error:
                raise _failed("the archive", request, error) from error

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._clock_ahead

    def _plan(self, body: bytes) -> Response:
        try:
            self.faults.plan(_FAULT_LIST.validate_json(body))
        except ValidationError as error:
            return Response(f"{error}\n", status=400)
        return Response(status=204)


def _ask(rules: Sequence[Rule], request: S3Request) -> None:
    if request.method != PREFLIGHT:  # which carries no credentials
        for rule in rules:
            rule(request)


def _failed(who: str, request: S3Request, error: Exception) -> Refused:
    _log.error("%s failed at %s", who, request.operation, exc_info=error)
    return Refused("InternalError", 500, "We encountered an internal error. Please try again.")
