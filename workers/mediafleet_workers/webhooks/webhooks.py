"""Sends what is due, a few messages at once, until the process ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.identity import TenantId
from mediafleet_core.ports import TryOutcome, WebhookLedger, WebhookTry
from mediafleet_core.ports.webhooks import MessageState
from mediafleet_workers.webhooks import metrics
from mediafleet_workers.webhooks.sending import Answer, Sender
from mediafleet_workers.webhooks.settings import Webhook, WebhookSettings

_log = structlog.get_logger(__name__)

_BEYOND_TIMEOUT = timedelta(seconds=5)
"""Of a lease: what the ledger may take besides."""

_STEEPNESS = 4
"""Times that each delay is longer than the one before."""


class Webhooks:
    """Every worker process that has the setting runs this; leases in the ledger keep two from sending the same."""

    def __init__(self, ledger: WebhookLedger, settings: WebhookSettings) -> None:
        """Nothing is sent before `run`."""
        self._ledger, self._settings = ledger, settings
        self._sender = Sender(settings.webhook_timeout, private=settings.webhook_private)
        self._under_way: set[asyncio.Task[None]] = set()
        self._told = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; nothing that fails ends it. What is under way then is given back."""
        hooks = self._settings.webhooks
        if hooks is None:
            return
        stopping = asyncio.create_task(stop.wait())
        interval = self._settings.webhook_interval.total_seconds()
        try:
            while not stop.is_set():
                await self._round(hooks)
                await asyncio.wait({stopping, *self._under_way}, timeout=interval, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = [stopping, *self._under_way]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await self._sender.close()

    async def _round(self, hooks: Mapping[TenantId, Webhook]) -> None:
        try:
            if not self._told:
                await self._ledger.set_webhooks({tenant: hook.events for tenant, hook in hooks.items()})
                self._told = True
            room = self._settings.webhook_concurrency - len(self._under_way)
            if not hooks or not room:
                return
            due, pending = await self._ledger.claim_messages(
                hooks,
                limit=room,
                most=self._settings.webhook_per_tenant,
                lease=self._settings.webhook_timeout + _BEYOND_TIMEOUT,
            )
        except MediafleetError as error:
            _log.warning("webhooks_interrupted", reason=error.reason)
        except Exception:
            _log.exception("webhooks_interrupted")
        else:
            metrics.PENDING.set(pending)
            for tried in due:
                task = asyncio.create_task(self._try(hooks[tried.tenant], tried), name="webhook")
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def _try(self, hook: Webhook, tried: WebhookTry) -> None:
        backoff = self._backoff(tried.attempt)
        try:
            try:
                answer = await self._send(hook, tried)
            except asyncio.CancelledError:
                answer, backoff = Answer(TryOutcome.FAILED, "the worker ended"), timedelta(0)
            state = await self._ledger.end_try(
                tried,
                answer.outcome,
                backoff=backoff,
                patience=self._settings.webhook_patience,
                most=self._settings.webhook_per_tenant,
            )
        except MediafleetError as error:  # its lease ends, and it is sent again
            _log.warning("webhook_outcome_lost", message_id=tried.message_id, reason=error.reason)
            return
        except Exception:
            _log.exception("webhook_outcome_lost", message_id=tried.message_id)
            return
        metrics.TRIES.labels(answer.outcome.lower() if tried.message else metrics.UNREADABLE).inc()
        if state is MessageState.GIVEN_UP:
            metrics.GIVEN_UP.inc()
        if answer.outcome is not TryOutcome.DELIVERED:
            _log.warning(
                "webhook_failed",
                message_id=tried.message_id,
                tenant=tried.tenant,
                host=hook.host,
                attempt=tried.attempt,
                reason=answer.reason,
                state=state,
            )

    async def _send(self, hook: Webhook, tried: WebhookTry) -> Answer:
        if tried.message is None:  # perhaps a worker of another version can, later
            return Answer(TryOutcome.FAILED, f"the message cannot be read: {tried.problem}")
        with metrics.DURATION.time():
            return await self._sender.send(hook, tried.message)

    def _backoff(self, attempt: int) -> timedelta:
        """Delay before the next try, with a share of chance so that not all come back at once."""
        first, most = self._settings.webhook_retry_first, self._settings.webhook_retry_most
        # Bounded before it is multiplied: a span has a largest value.
        times = float(_STEEPNESS ** min(attempt - 1, 16))
        return min(most, first * times) * random.uniform(0.8, 1.2)
