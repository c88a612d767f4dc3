"""Why a storage cannot be reached, in words that name the setting and not the address."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import aiohttp
import urllib3.exceptions
from botocore.exceptions import ProxyConnectionError, SSLError

_ENDPOINT = "check R2_ENDPOINT_URL or R2_ACCOUNT_ID"
_TLS = (SSLError, ssl.SSLError, urllib3.exceptions.SSLError, aiohttp.ClientSSLError)
_NO_NAME = (socket.gaierror, urllib3.exceptions.NameResolutionError, aiohttp.ClientConnectorDNSError)


def why_unreached(failure: Exception) -> str:
    """What is in the way, as far as the chain of causes tells."""
    chain = list(_causes(failure))
    if any(isinstance(each, ProxyConnectionError | aiohttp.ClientProxyConnectionError) for each in chain):
        return "the proxy to the object storage cannot be reached: check HTTPS_PROXY"
    if any(isinstance(each, _TLS) for each in chain):
        return f"the certificate of the object storage is not trusted: {_ENDPOINT}, or MEDIAFLEET_STORAGE_CA_FILE"
    if any(isinstance(each, _NO_NAME) for each in chain):
        return f"the host of the object storage is not known: {_ENDPOINT}, and the name service"
    if any(isinstance(each, ConnectionRefusedError) or "refused" in str(each).lower() for each in chain):
        return f"nothing listens at the address of the object storage: {_ENDPOINT}"
    return f"the object storage cannot be reached: {_ENDPOINT}, and the network between"


def _causes(failure: BaseException | None) -> Iterator[BaseException]:
    """The failure and whatever it came from; botocore and aiohttp keep that in attributes of their own, too."""
    seen: set[int] = set()
    open_: list[BaseException | None] = [failure]
    while open_:
        error = open_.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        kept = getattr(error, "kwargs", {})
        inner = [kept.get("error")] if isinstance(kept, dict) else []
        inner += [getattr(error, name, None) for name in ("os_error", "certificate_error", "reason")]
        open_ += [each for each in (error.__cause__, error.__context__, *inner) if isinstance(each, BaseException)]
