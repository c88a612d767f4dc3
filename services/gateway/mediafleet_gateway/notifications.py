"""What became of uploads and batches, told to people and to other systems."""

from __future__ import annotations

import re
from typing import Protocol

import structlog

from mediafleet.v1 import notifications_pb2 as pb
from mediafleet.v1.batches_pb2 import BatchCounts
from mediafleet.v1.notifications_pb2_grpc import NotificationServiceServicer
from mediafleet_core.errors import invalid_field
from mediafleet_core.identity import TenantId
from mediafleet_core.ports import Notice, NoticeLedger, UploadNotice, WebhookLedger
from mediafleet_gateway import paging, requests
from mediafleet_gateway.auth import Scope, caller
from mediafleet_gateway.convert import STATES, timestamp
from mediafleet_gateway.convert_batches import BATCH_STATES
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.validation import Fields

MOST_MARKED = 1000
_NUMBER = re.compile("[0-9]{1,16}")

_log = structlog.get_logger(__name__)


class NotificationLedger(WebhookLedger, NoticeLedger, Protocol):
    """What the service needs of the ledger."""


class NotificationService(NotificationServiceServicer):
    """Lists for people; of webhooks, which workers send, what one may ask."""

    def __init__(self, ledger: NotificationLedger) -> None:
        """The ledger has it all."""
        self._ledger = ledger

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Context
    ) -> pb.ListNotificationsResponse:
        """One page."""
        tenant, size = caller().tenant, paging.page_size(request.page_size)
        place = paging.decode(tenant, request) or "0"
        if not _NUMBER.fullmatch(place):  # whoever knows how tokens are made can make any
            raise invalid_field("page_token", "must be a token that this server gave")
        before = int(place)
        page = await self._ledger.notices(tenant, limit=size, before=before, only_unread=request.only_unread)
        return pb.ListNotificationsResponse(
            notifications=map(notice_to_proto, page.notices),
            next_page_token=paging.encode(tenant, request, str(page.next_before) if page.next_before else ""),
            unread_count=page.unread,
        )

    async def MarkNotificationsRead(
        self, request: pb.MarkNotificationsReadRequest, context: Context
    ) -> pb.MarkNotificationsReadResponse:
        """How many are left."""
        fields = Fields()
        fields.require(len(request.numbers) <= MOST_MARKED, "numbers", f"must be at most {MOST_MARKED}")
        fields.require(request.through_number >= 0, "through_number", "must not be negative")
        fields.check()
        unread = await self._ledger.mark_read(caller().tenant, numbers=request.numbers, through=request.through_number)
        return pb.MarkNotificationsReadResponse(unread_count=unread)

    async def ReplayWebhooks(self, request: pb.ReplayWebhooksRequest, context: Context) -> pb.ReplayWebhooksResponse:
        """How many messages are due again."""
        fields = Fields()
        start, end = requests.time_range(fields, "time_range", request.time_range)
        fields.require(start is not None, "time_range.start_time", "must be given")
        if request.tenant:
            fields.name("tenant", request.tenant)
        fields.check()
        principal = caller()
        tenant = TenantId(request.tenant or principal.tenant)
        if tenant != principal.tenant:
            principal.require(Scope.ADMIN)
        assert start is not None
        count = await self._ledger.replay_messages(tenant, start, end, only_failed=request.only_failed)
        _log.info("webhooks_replayed", tenant=tenant, messages=count, only_failed=request.only_failed)
        return pb.ReplayWebhooksResponse(messages=count)


def notice_to_proto(notice: Notice) -> pb.Notification:
    """One piece of news."""
    made = pb.Notification(
        number=notice.number,
        event_time=timestamp(notice.time),
        read=notice.read,
        display_name=notice.display_name,
    )
    subject = notice.subject
    if isinstance(subject, UploadNotice):
        ended = pb.UploadEnded(upload_id=subject.upload_id, state=STATES[subject.state], failure_code=subject.code)
        made.upload.CopyFrom(ended)
    else:
        counts = BatchCounts(
            total=sum(subject.counts.values()), **{state.lower(): count for state, count in subject.counts.items()}
        )
        made.batch.CopyFrom(pb.BatchEnded(batch_id=subject.batch_id, state=BATCH_STATES[subject.state], counts=counts))
    return made
