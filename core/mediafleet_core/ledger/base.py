"""What the groups of steps share."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from mediafleet_core.ledger import records
from mediafleet_core.ledger.connection import Connection, Reply
from mediafleet_core.uploads import Upload


def new_op() -> str:
    """A name for one step, so that a library that sends it twice does it once."""
    return uuid4().hex


def milliseconds(span: timedelta) -> int:
    """Whole milliseconds of a span."""
    return int(span.total_seconds() * 1000)


class LedgerBase:
    """A connection, and the epoch that cursors carry."""

    def __init__(self, connection: Connection, epoch: str) -> None:
        """`epoch` names this life of the ledger's data."""
        self._connection = connection
        self._epoch = epoch

    def _upload(self, reply: Reply) -> Upload:
        return records.upload(reply.id, records.pairs(reply.record))
