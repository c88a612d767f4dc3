"""Doorbells over Dramatiq: a message says that work of a kind may wait, and names no upload."""

from mediafleet_core.queue.doorbells import ACTOR_NAME, DramatiqQueue, open_broker, queue_name
from mediafleet_core.queue.settings import QueueSettings

__all__ = ["ACTOR_NAME", "DramatiqQueue", "QueueSettings", "open_broker", "queue_name"]
