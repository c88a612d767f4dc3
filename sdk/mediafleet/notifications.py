"""What the client asks about notifications."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from mediafleet.gateways import Gateways
from mediafleet.v1 import notifications_pb2 as pb
from mediafleet.v1.uploads_pb2 import TimeRange


class AsyncNotifications:
    """`client.notifications`; times are aware of their zone."""

    def __init__(self, gateways: Gateways) -> None:
        """Calls go to whichever gateway the client talks to."""
        self._gateways = gateways

    async def list(self, *, only_unread: bool = False) -> AsyncGenerator[pb.Notification, None]:
        """What people of the tenant should hear of, newest first; pages are fetched as the caller goes on."""
        request = pb.ListNotificationsRequest(only_unread=only_unread)
        while True:
            page = await self._gateways.call(lambda gateway: gateway.notifications.ListNotifications, request)
            for notification in page.notifications:
                yield notification
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def mark_read(self, *numbers: int, through: int = 0) -> int:
        """Marks notifications as read, by their numbers, and all up to `through`; returns how many are not."""
        request = pb.MarkNotificationsReadRequest(numbers=numbers, through_number=through)
        answer = await self._gateways.call(lambda gateway: gateway.notifications.MarkNotificationsRead, request)
        return answer.unread_count

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


def timestamp(time: datetime | None) -> Timestamp | None:
    """None stays absent."""
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made
