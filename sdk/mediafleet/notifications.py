"""What the client asks about notifications."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

from mediafleet.arguments import checked
from mediafleet.calls import Calls
from mediafleet.spans import timestamp
from mediafleet.v1 import notifications_pb2 as pb
from mediafleet.v1.uploads_pb2 import TimeRange


class AsyncNotifications(Calls):
    """`client.notifications`; times are aware of their zone."""

    @checked
    async def list(self, *, only_unread: bool = False) -> AsyncGenerator[pb.Notification, None]:
        """What people of the tenant should hear of, newest first; pages are fetched as the caller goes on."""
        request = pb.ListNotificationsRequest(only_unread=only_unread)
        async with aclosing(self._pages(lambda gateway: gateway.notifications.ListNotifications, request)) as pages:
            async for page in pages:
                for notification in page.notifications:
                    yield notification

    @checked
    async def mark_read(self, *numbers: int, through: int = 0) -> int:
        """Marks notifications as read, by their numbers, and all up to `through`; returns how many are not."""
        request = pb.MarkNotificationsReadRequest(numbers=numbers, through_number=through)
        answer = await self._gateways.call(lambda gateway: gateway.notifications.MarkNotificationsRead, request)
        return answer.unread_count

    @checked
    async def replay_webhooks(
        self, since: datetime, *, before: datetime | None = None, only_failed: bool = False, tenant: str = ""
    ) -> int:
        """Sends webhook messages again that were planned in this time, at most 7 days ago; returns how many.

        `only_failed` takes those that were tried and not delivered. Another `tenant` than the token's needs the scope
        `admin`.
        """
        request = pb.ReplayWebhooksRequest(
            time_range=TimeRange(start_time=timestamp(since), end_time=timestamp(before)),
            only_failed=only_failed,
            tenant=tenant,
        )
        return (await self._gateways.call(lambda gateway: gateway.notifications.ReplayWebhooks, request)).messages
