"""The ledger on Redis: records, queues, counters and the event log."""

from mediafleet_core.ledger.redis_ledger import RedisLedger, connect
from mediafleet_core.ledger.settings import LedgerSettings

__all__ = ["LedgerSettings", "RedisLedger", "connect"]
