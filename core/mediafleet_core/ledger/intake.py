"""Steps of intake: creation, writing, finishing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from mediafleet_core.failures import Failure, FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase, milliseconds, new_op
from mediafleet_core.ledger.connection import Reply
from mediafleet_core.ledger.refusals import check
from mediafleet_core.media_types import declared_type, kind_of
from mediafleet_core.parts import Part, Tail, part_size
from mediafleet_core.ports import Original, RequestKey, WriteSession
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Upload, UploadSpec


class IntakeSteps(LedgerBase):
    """How bytes come in; see `ports.Ledger` for what each step promises."""

    async def create(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        spec: UploadSpec,
        *,
        limits: Limits,
        request: RequestKey | None = None,
        expires_in: timedelta,
        opened: bool = False,
        op: str | None = None,
    ) -> WriteSession:
        """Reserve quota and write the record, or return the one that `request` made."""
        reply = await self._connection.run(
            "create",
            id=upload_id,
            expires_in=milliseconds(expires_in),
            fence=int(opened),
            op=op or new_op(),
            **_creation(tenant, spec, limits, request),
        )
        upload = self._upload(check(reply))
        return WriteSession(upload, int(reply.detail or 0), part_size(spec.size_bytes), next_number=1)

    async def check_create(
        self, tenant: TenantId, spec: UploadSpec, *, limits: Limits, request: RequestKey | None = None
    ) -> Upload | None:
        """The checks of `create` alone."""
        reply = check(await self._connection.run("create", dry=True, **_creation(tenant, spec, limits, request)))
        return self._upload(reply) if reply.id else None

    async def open_write(
        self, upload_id: UploadId, tenant: TenantId, offset: int, *, op: str | None = None
    ) -> WriteSession:
        """Take over writing with a new fence."""
        reply = await self._connection.run(
            "open_write", id=upload_id, tenant=tenant, offset=offset, with_parts=True, op=op or new_op()
        )
        fields = records.pairs(check(reply, upload_id).record)
        session = self._session(reply, fields)
        tail = fields.get("tail")
        return session._replace(
            part_size=part_size(session.upload.spec.size_bytes),
            tail=msgspec.json.decode(tail, type=Tail) if tail else None,
        )

    async def attach_multipart(
        self, upload_id: UploadId, fence: int, key: str, multipart_id: str, *, op: str | None = None
    ) -> None:
        """Record the multipart that the parts go to."""
        check(
            await self._connection.run(
                "attach_multipart", id=upload_id, fence=fence, key=key, multipart_id=multipart_id, op=op or new_op()
            ),
            upload_id,
        )

    async def open_direct(self, upload_id: UploadId, tenant: TenantId, *, committed: int = 0) -> WriteSession:
        """How far a direct upload is."""
        reply = await self._connection.run(
            "open_direct", id=upload_id, tenant=tenant, committed=committed, with_parts=True
        )
        return self._session(check(reply, upload_id), records.pairs(reply.record))

    async def attach_direct(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        key: str,
        multipart_id: str,
        part_size: int,
        *,
        op: str | None = None,
    ) -> WriteSession:
        """Record the multipart of a direct upload, unless there is one already."""
        reply = await self._connection.run(
            "open_direct",
            id=upload_id,
            tenant=tenant,
            key=key,
            multipart_id=multipart_id,
            part_size=part_size,
            with_parts=True,
            op=op or new_op(),
        )
        return self._session(check(reply, upload_id), records.pairs(reply.record))

    async def hold_import(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        hold: timedelta,
        fence: int = 0,
        committed: int = 0,
        op: str | None = None,
    ) -> WriteSession:
        """Take the copying of an import, or go on with it."""
        reply = await self._connection.run(
            "hold_import",
            id=upload_id,
            tenant=tenant,
            hold=milliseconds(hold),
            fence=fence,
            committed=committed,
            op=op or new_op(),
        )
        return self._session(check(reply, upload_id), records.pairs(reply.record))

    async def record_part(
        self, upload_id: UploadId, fence: int, part: Part, *, limits: Limits, last: bool = False, op: str | None = None
    ) -> int:
        """Record a durable part in sequence."""
        what = {"part": records.to_json(part), "number": part.number, "last": last}
        return await self._record(upload_id, fence, limits, op, part.offset, part.size, **what)

    async def record_tail(
        self, upload_id: UploadId, fence: int, tail: Tail, *, limits: Limits, op: str | None = None
    ) -> int:
        """Record the tail behind the last part."""
        return await self._record(upload_id, fence, limits, op, tail.offset, tail.size, tail=records.to_json(tail))

    async def seal(
        self, upload_id: UploadId, fence: int, parts: Sequence[Part] | None = None, *, op: str | None = None
    ) -> None:
        """Let nothing follow the recorded parts, or `parts` in their place."""
        texts = None if parts is None else [records.to_json(part) for part in parts]
        reply = await self._connection.run("seal", id=upload_id, fence=fence, parts=texts, op=op or new_op())
        check(reply, upload_id)

    async def writes(self, upload_id: UploadId, fence: int) -> None:
        """Raise if `fence` may not write any more."""
        check(await self._connection.run("writes", id=upload_id, fence=fence), upload_id)

    async def finish(
        self,
        upload_id: UploadId,
        fence: int,
        original: Original,
        *,
        limits: Limits,
        max_attempts: int,
        op: str | None = None,
    ) -> Upload:
        """RECEIVING -> QUEUED."""
        reply = await self._connection.run(
            "finish",
            id=upload_id,
            fence=fence,
            key=original.key,
            size=original.size,
            crc32c=original.crc32c,
            sha256=original.sha256,
            limits=_limits(limits),
            share=records.share(limits),
            max_attempts=max_attempts,
            op=op or new_op(),
        )
        return self._upload(check(reply, upload_id))

    async def reject(
        self, upload_id: UploadId, fence: int, code: FailureCode, detail: str, *, op: str | None = None
    ) -> Upload:
        """RECEIVING -> FAILED."""
        failure = records.to_json(Failure(code=code, stage="receiving", detail=detail))
        reply = await self._connection.run("reject", id=upload_id, fence=fence, failure=failure, op=op or new_op())
        return self._upload(check(reply, upload_id))

    def _session(self, reply: Reply, fields: records.Fields) -> WriteSession:
        return WriteSession(
            upload=self._upload(reply),
            fence=int(reply.detail),
            part_size=int(fields.get("part_size") or 0),
            next_number=int(fields["next_number"]),
            multipart_key=fields.get("multipart_key", ""),
            multipart_id=fields.get("multipart_id", ""),
            parts=tuple(msgspec.json.decode(text, type=Part) for text in reply.extra),
            sealed=bool(fields.get("sealed")),
        )

    async def _record(
        self, upload_id: UploadId, fence: int, limits: Limits, op: str | None, offset: int, size: int, **what: object
    ) -> int:
        reply = await self._connection.run(
            "record_part",
            id=upload_id,
            fence=fence,
            offset=offset,
            size=size,
            limits=_limits(limits),
            op=op or new_op(),
            **what,
        )
        return int(check(reply, upload_id).detail)


def _limits(limits: Limits) -> dict[str, int]:
    return {"tenant": limits.tenant_bytes, "collection": limits.collection_bytes}


def _creation(tenant: TenantId, spec: UploadSpec, limits: Limits, request: RequestKey | None) -> dict[str, object]:
    declared = declared_type(spec.content_type, spec.display_name)
    return {
        "field": {
            "tenant": tenant,
            "spec": records.to_json(spec),
            "collection": spec.collection,
            "batch": spec.batch_id or "",
            "priority": spec.priority,
            "kind": kind_of(declared),
            "caption": spec.caption,
            "labels": records.to_json(spec.labels),
            "size": "" if spec.size_bytes is None else str(spec.size_bytes),
        },
        "reserve": spec.size_bytes or 0,
        "limits": _limits(limits),
        "request": f"{tenant}:{request.method}:{request.request_id}" if request else None,
        "digest": request.digest if request else None,
    }
