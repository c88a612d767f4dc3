"""Signed URLs: how long they live, under which name they are served, and how the local file server signs its own."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import timedelta
from time import time
from typing import NamedTuple
from urllib.parse import quote, urlencode

LONGEST = timedelta(hours=24)
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def lifetime(expires_in: timedelta) -> int:
    """Whole seconds that a URL may live: as asked, but at least 1 second and at most 24 hours."""
    return int(min(max(expires_in, timedelta(seconds=1)), LONGEST).total_seconds())


def content_disposition(file_name: str, *, as_attachment: bool) -> str:
    """The header's value (RFC 6266): an ASCII name for old clients and the true one as RFC 5987 tells."""
    name = _CONTROL.sub("", file_name) or "file"
    kind = "attachment" if as_attachment else "inline"
    fallback = _UNSAFE.sub("_", name)
    value = f'{kind}; filename="{fallback}"'
    return value if fallback == name else f"{value}; filename*=UTF-8''{quote(name, safe='')}"


class Link(NamedTuple):
    """What one URL permits: GET of `key` until `expires` (Unix seconds), served as told."""

    key: str
    expires: int
    name: str
    type: str
    attachment: bool

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return time() >= self.expires


class LinkSigner:
    """Makes and checks the URLs of the local file server: every part of a `Link` is under an HMAC-SHA256."""

    def __init__(self, base_url: str, secret: str) -> None:
        """`base_url` without a slash at its end."""
        self._base_url = base_url
        self._secret = secret.encode()

    def url(self, link: Link) -> str:
        """The URL that carries `link` and its signature."""
        query = {
            "expires": link.expires,
            "name": link.name,
            "type": link.type,
            "attachment": int(link.attachment),
            "signature": self.signature(link),
        }
        return f"{self._base_url}/{quote(link.key)}?{urlencode(query)}"

    def signature(self, link: Link) -> str:
        """Hexadecimal; the query encoding keeps the parts apart."""
        return hmac.new(self._secret, urlencode(link._asdict()).encode(), hashlib.sha256).hexdigest()

    def matches(self, link: Link, signature: str) -> bool:
        """Whether `signature` was made for exactly this link."""
        return hmac.compare_digest(self.signature(link).encode(), signature.encode())
