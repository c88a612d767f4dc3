"""Webhook messages on Redis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from mediafleet_core.batches import Batch
from mediafleet_core.identity import BatchId, TenantId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase, milliseconds
from mediafleet_core.ledger.batches import batch_record
from mediafleet_core.ports.webhooks import EVENT_PREFIX, MessageState, TryOutcome, WebhookMessage, WebhookTry
from mediafleet_core.uploads import Upload

REPLAY_PAGE = 500
"""Messages that one step replays."""

_END_OF_TIME = 1 << 50

_TOLD = ""
"""Stands beside the pairs, so that even where nobody wants anything there is a set."""


class WebhookSteps(LedgerBase):
    """See `ports.WebhookLedger` for what each step promises."""

    _wanted: Mapping[TenantId, Collection[str]] | None = None
    """What this process said, to be said again to a Redis that has forgotten it."""

    async def set_webhooks(self, wanted: Mapping[TenantId, Collection[str]]) -> None:
        """Who is told of what from here on."""
        self._wanted = wanted
        key = self._connection.key("webhooks")
        pairs = [f"{tenant} {type_}" for tenant, types in wanted.items() for type_ in types]
        async with self._connection.guarded() as redis:
            at_once = redis.pipeline(transaction=True)
            at_once.delete(key)
            at_once.sadd(key, _TOLD, *pairs)
            await at_once.execute()

    async def claim_messages(
        self, tenants: Collection[TenantId], *, limit: int, most: int, lease: timedelta
    ) -> tuple[Sequence[WebhookTry], int]:
        """Messages that are due, and how many are not delivered."""
        reply = await self._connection.run(
            "claim_messages", tenants=list(tenants), limit=limit, most=most, lease=milliseconds(lease)
        )
        if reply.status == "UNTOLD" and self._wanted is not None:
            await self.set_webhooks(self._wanted)
        return [_tried(row) for row in reply.extra], int(reply.detail)

    async def end_try(
        self, tried: WebhookTry, outcome: TryOutcome, *, backoff: timedelta, patience: timedelta, most: int
    ) -> MessageState:
        """What came of a try."""
        reply = await self._connection.run(
            "end_try",
            message=tried.message_id,
            tenant=tried.tenant,
            outcome=outcome,
            backoff=milliseconds(backoff),
            patience=milliseconds(patience),
            most=most,
            **{"try": tried.number},
        )
        return MessageState(reply.detail)

    async def replay_messages(
        self, tenant: TenantId, since: datetime, before: datetime | None, *, only_failed: bool
    ) -> int:
        """Make messages due again."""
        after, end = _milliseconds(since) - 1, _milliseconds(before) if before else _END_OF_TIME
        count = 0
        while True:
            reply = await self._connection.run(
                "replay_messages",
                tenant=tenant,
                after=after,
                before=end,
                failed=only_failed or None,
                limit=REPLAY_PAGE,
            )
            count += int(reply.detail)
            if not reply.extra:
                return count
            after = int(reply.extra[0])


def _milliseconds(time: datetime) -> int:
    return max(0, int(time.timestamp() * 1000))


def _tried(row: str) -> WebhookTry:
    tenant, message_id, tries, flat = msgspec.json.decode(row, type=tuple[TenantId, str, str, list[str]])
    number, fields = int(tries), records.pairs(flat)
    try:
        message, before = _message(message_id, tenant, fields), int(fields["before"])
    except Exception as error:  # whatever stands there, the other messages are good
        problem = fields.get("problem") or f"{type(error).__name__}: {error}"
        return WebhookTry(message_id, tenant, None, number, number, problem)
    return WebhookTry(message_id, tenant, message, number, number - before)


def _message(message_id: str, tenant: TenantId, fields: records.Fields) -> WebhookMessage:
    MessageState(fields["state"])  # what another one means by it is not for us to guess
    record = records.pairs(msgspec.json.decode(fields["record"], type=list[str]))
    subject: Upload | Batch
    if fields["type"].startswith(f"{EVENT_PREFIX}upload."):
        subject = records.upload(fields["subject"], record)
    else:
        subject = batch_record(BatchId(fields["subject"]), record)
    return WebhookMessage(message_id, tenant, fields["type"], records.at(fields["time"]), subject)
