"""What calls of every kind have in common: gateways that outlive each other, and lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import grpc

from mediafleet.gateways import Gateway, Gateways
from mediafleet.v1.batches_pb2 import ListBatchesRequest, ListBatchesResponse
from mediafleet.v1.notifications_pb2 import ListNotificationsRequest, ListNotificationsResponse
from mediafleet.v1.uploads_pb2 import (
    ListImportablesRequest,
    ListImportablesResponse,
    ListUploadsRequest,
    ListUploadsResponse,
)
from mediafleet.v1.usage_pb2 import ListUsageHistoryRequest, ListUsageHistoryResponse

Request = TypeVar(
    "Request",
    ListBatchesRequest,
    ListImportablesRequest,
    ListNotificationsRequest,
    ListUploadsRequest,
    ListUsageHistoryRequest,
)
Page = TypeVar(
    "Page",
    ListBatchesResponse,
    ListImportablesResponse,
    ListNotificationsResponse,
    ListUploadsResponse,
    ListUsageHistoryResponse,
)


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
