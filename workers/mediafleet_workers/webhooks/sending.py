"""One try of one message, over HTTP."""

from __future__ import annotations

import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, NamedTuple

import aiohttp

from mediafleet_core import webhooks
from mediafleet_core.ports import TryOutcome, WebhookMessage
from mediafleet_workers.webhooks.settings import Webhook

_GONE = 410


class Answer(NamedTuple):
    """What came of a try; `reason` for logs: the status, or why there is none."""

    outcome: TryOutcome
    reason: str


class AddressRefused(OSError):
    """The receiver's address is not a public one."""


class Sender:
    """Posts messages over kept connections: no redirects, no cookies, no proxies, answers unread."""

    def __init__(self, timeout: timedelta, *, private: bool) -> None:
        """Belongs to the event loop that runs at the first message. `private` allows addresses that are not public."""
        self._timeout, self._private = timeout.total_seconds(), private
        self._session: aiohttp.ClientSession | None = None

    async def send(self, hook: Webhook, message: WebhookMessage) -> Answer:
        """Raises nothing expected."""
        if self._session is None:
            self._session = self._open()
        content = webhooks.body(message)
        headers = webhooks.headers(message, content, datetime.now(UTC), hook.secrets)
        try:
            async with self._session.post(hook.url, data=content, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except TimeoutError:
            return Answer(TryOutcome.FAILED, "no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: of what cannot be looked up at all
            refused = isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused)
            return Answer(TryOutcome.FAILED, "address is not public" if refused else type(error).__name__)
        if 200 <= status < 300:
            return Answer(TryOutcome.DELIVERED, f"HTTP {status}")
        return Answer(TryOutcome.GONE if status == _GONE else TryOutcome.FAILED, f"HTTP {status}")

    async def close(self) -> None:
        """Close idle connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self._socket),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": f"mediafleet/{version('mediafleet-workers')}"},
        )

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """For the very address that is connected to, so that no name can be looked up twice with two answers."""
        family, kind, protocol, _, (host, *_) = address
        if not (self._private or is_public(host)):
            raise AddressRefused(f"{host} is not public")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def is_public(host: str) -> bool:
    """Whether an IP address is anywhere but here: neither loopback nor private, link-local, shared or reserved."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if inside:
            return is_public(str(inside))
        if address in _TRANSLATED:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address not in _GIVEN_OUT:
            return False
    return address.is_global and not address.is_multicast and not any(address in each for each in _SPECIAL)


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as NAT64 spells them."""

_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
"""All that the internet uses of IPv6. Elsewhere are this machine, this site, and translators of a network's own."""

_SPECIAL = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv6Network("3fff::/20"))
"""Not public, which Python 3.11 does not know: protocols and metadata of a cloud; documentation."""
