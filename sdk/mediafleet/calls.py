"""What calls of every kind have in common: gateways that outlive each other, and lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Literal, Protocol, TypeAlias, TypeVar

import grpc

from mediafleet.gateways import Gateway, Gateways

Order: TypeAlias = Literal["", "create_time desc", "create_time"]
"""Of a list: newest first, which is also meant by "", or oldest first."""


class Listing(Protocol):
    """A request of the contract for one page."""

    page_token: str


class Listed(Protocol):
    """A page of the contract."""

    next_page_token: str


Request = TypeVar("Request", bound=Listing)
Page = TypeVar("Page", bound=Listed)


class Calls:
    """Calls to whichever gateway the client talks to."""

    def __init__(self, gateways: Gateways) -> None:
        """The client's."""
        self._gateways = gateways

    async def _pages(
        self, method: Callable[[Gateway], grpc.aio.UnaryUnaryMultiCallable[Request, Page]], request: Request
    ) -> AsyncGenerator[Page, None]:
        """Every page from the one that is asked for on, each fetched when the caller wants it."""
        while True:
            page = await self._gateways.call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
