"""What became of uploads and batches, told to other systems."""

from __future__ import annotations

import structlog

from mediafleet.v1 import notifications_pb2 as pb
from mediafleet.v1.notifications_pb2_grpc import NotificationServiceServicer
from mediafleet_core.identity import TenantId
from mediafleet_core.ports import WebhookLedger
from mediafleet_gateway import requests
from mediafleet_gateway.auth import Scope, caller
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.validation import Fields

_log = structlog.get_logger(__name__)


class NotificationService(NotificationServiceServicer):
    """Workers send; here one asks for it."""

    def __init__(self, ledger: WebhookLedger) -> None:
        """The ledger has the messages."""
        self._ledger = ledger

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
