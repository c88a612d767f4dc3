"""Webhook messages on their way to other systems; every worker that is told of webhooks sends them."""

from mediafleet_workers.webhooks.settings import WebhookSettings
from mediafleet_workers.webhooks.webhooks import Webhooks

__all__ = ["WebhookSettings", "Webhooks"]
