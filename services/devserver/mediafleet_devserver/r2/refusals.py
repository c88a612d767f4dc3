"""How the endpoint says no: S3's error document."""

from __future__ import annotations

from xml.sax.saxutils import escape

from werkzeug.wrappers import Response


class Refused(Exception):
    """A rule forbids the request; `code` and `status` are S3's, or R2's where it has its own."""

    def __init__(self, code: str, status: int, message: str) -> None:
        """The message goes to the caller."""
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message

    def response(self) -> Response:
        """As S3 writes it."""
        return Response(
            f'<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>",
            status=self.status,
            content_type="application/xml",
        )


def not_implemented(what: str) -> Refused:
    """R2 lacks a feature of S3's."""
    return Refused("NotImplemented", 501, f"{what} not implemented")
