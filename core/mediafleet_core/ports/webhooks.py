"""The ledger of webhook messages: an outbox that fills in the same steps as the states it tells of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from mediafleet_core.batches import Batch, BatchState
from mediafleet_core.identity import TenantId
from mediafleet_core.uploads import TERMINAL, Upload

EVENT_PREFIX = "mediafleet."
"""What the type of every message starts with; behind it stand `upload` or `batch` and the state in lower case."""

EVENT_TYPES = frozenset(
    [f"{EVENT_PREFIX}upload.{state.lower()}" for state in TERMINAL]
    + [f"{EVENT_PREFIX}batch.{state.lower()}" for state in BatchState if state.terminal]
)
"""Everything that a webhook can be told of."""

MESSAGES_KEPT = timedelta(days=7)
"""How long a message can be replayed, delivered or not."""


class WebhookMessage(NamedTuple):
    """One end of one upload or batch: `subject` is the record as it was then, `time` when that was.

    `message_id` stays the same whenever it is sent again; `sequence` is the number of that state change of the record.
    """

    message_id: str
    tenant: TenantId
    type: str
    time: datetime
    subject: Upload | Batch

    @property
    def sequence(self) -> int:
        """The number of the state change among those of the record, from 1."""
        return self.subject.sequence


class WebhookTry(NamedTuple):
    """A message that one worker may send until its lease ends.

    `number` counts its tries from 1, `attempt` those since it was planned or last replayed. `message` is None if it
    cannot be read here, as it was written by another version or is damaged; `problem` then says why.
    """

    message_id: str
    tenant: TenantId
    message: WebhookMessage | None
    number: int
    attempt: int
    problem: str = ""


class TryOutcome(StrEnum):
    """What came of a try: taken, to be tried again, or never wanted again."""

    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    GONE = "GONE"


class MessageState(StrEnum):
    """Where a message stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"


class WebhookLedger(Protocol):
    """Messages are delivered at least once, in no promised order."""

    async def set_webhooks(self, wanted: Mapping[TenantId, Collection[str]]) -> None:
        """From here on messages of these types are planned for these tenants, and no others for anybody."""

    async def claim_messages(
        self, tenants: Collection[TenantId], *, limit: int, most: int, lease: timedelta
    ) -> tuple[Sequence[WebhookTry], int]:
        """Messages that are due, longest waiting tenant first, `most` of one tenant under way at once in the fleet.

        Besides, how many of these tenants' messages are not delivered yet. One that cannot be read holds up no other.
        """

    async def end_try(
        self, tried: WebhookTry, outcome: TryOutcome, *, backoff: timedelta, patience: timedelta, most: int
    ) -> MessageState:
        """What came of a try. One that FAILED is due again after `backoff`, unless that is beyond its `patience`."""

    async def replay_messages(
        self, tenant: TenantId, since: datetime, before: datetime | None, *, only_failed: bool
    ) -> int:
        """Make messages planned in this time due again, and tell how many; `only_failed`: tried and not delivered."""
