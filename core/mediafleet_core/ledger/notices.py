"""Notices on Redis."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mediafleet_core.batches import BatchState
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase
from mediafleet_core.ports.notices import BatchNotice, Notice, NoticePage, UploadNotice
from mediafleet_core.uploads import TERMINAL, State


class NoticeSteps(LedgerBase):
    """See `ports.NoticeLedger` for what each step promises."""

    async def notices(self, tenant: TenantId, *, limit: int, before: int = 0, only_unread: bool = False) -> NoticePage:
        """A page, newest first."""
        log, unread_key = self._connection.key(f"notices:{tenant}"), self._connection.key(f"unread:{tenant}")
        rows: Sequence[tuple[str, records.Fields]]
        async with self._connection.guarded() as redis:
            if only_unread:
                below = f"({before}" if before else "+inf"
                numbers = await redis.zrevrangebyscore(unread_key, below, "-inf", start=0, num=limit + 1)
                asked = redis.pipeline(transaction=False)
                for number in numbers:
                    asked.xrange(log, f"{number}-0", f"{number}-0")
                rows = [row for found in await asked.execute() for row in found] if numbers else []
            else:
                rows = await redis.xrevrange(log, f"({before}-0" if before else "+", "-", count=limit + 1)
            asked = redis.pipeline(transaction=False)
            asked.zcard(unread_key)
            for entry_id, _ in rows:
                asked.zscore(unread_key, _number(entry_id))
            unread, *scores = await asked.execute()
        found = [_notice(*row, read=score is None) for row, score in zip(rows, scores, strict=True)]
        more = len(found) > limit
        return NoticePage(tuple(found[:limit]), found[limit - 1].number if more else 0, unread)

    async def mark_read(self, tenant: TenantId, *, numbers: Collection[int] = (), through: int = 0) -> int:
        """These are read."""
        key = self._connection.key(f"unread:{tenant}")
        async with self._connection.guarded() as redis:
            at_once = redis.pipeline(transaction=True)
            if numbers:
                at_once.zrem(key, *numbers)
            if through:
                at_once.zremrangebyscore(key, "-inf", through)
            at_once.zcard(key)
            *_, unread = await at_once.execute()
        return int(unread)


def _number(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])


def _notice(entry_id: str, fields: records.Fields, *, read: bool) -> Notice:
    subject: UploadNotice | BatchNotice
    if fields["what"] == "upload":
        subject = UploadNotice(fields["id"], State(fields["state"]), fields.get("code", ""))
    else:
        counts = {state: int(fields[f"in:{state}"]) for state in TERMINAL}
        subject = BatchNotice(fields["id"], BatchState(fields["state"]), counts)
    return Notice(_number(entry_id), records.at(fields["time"]), fields["name"], subject, read)
