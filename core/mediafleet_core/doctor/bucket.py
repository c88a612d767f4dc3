"""What only an S3 bucket has: its server's clock, its rules for browsers, its rules of expiry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import google_crc32c
from botocore.exceptions import BotoCoreError, ClientError

from mediafleet_core.doctor import trials
from mediafleet_core.doctor.findings import Finding, failed, ok, refused, skipped, warning
from mediafleet_core.doctor.rules import CORS_GUIDE, HEADER, judge_cors, judge_lifecycle
from mediafleet_core.doctor.storage import StorageExam
from mediafleet_core.errors import MediafleetError
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.object_keys import CHECK, CHECK_KEY
from mediafleet_core.settings import SettingsError, read
from mediafleet_core.storage import Backend, open_bare
from mediafleet_core.storage.denials import skew_of
from mediafleet_core.storage.s3_client import make_client
from mediafleet_core.storage.s3_errors import answer_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SKEW_WARNED, _SKEW_FAILED = timedelta(seconds=30), timedelta(minutes=5)


class BucketExam:
    """The same storage as the other exam's; every check is silent unless that is a usable bucket."""

    def __init__(self, storage: StorageExam, origin: str) -> None:
        """`origin` is that of a page that sends direct uploads, such as https://app.example.com; "" for unknown."""
        self._storage, self._origin = storage, origin

    async def clock(self) -> AsyncIterator[Finding]:
        """The storage's Date against ours: signatures carry our time. Also told where the storage refuses us."""
        if self._storage.settings.backend not in (Backend.S3, Backend.R2) or not self._storage.reached:
            return
        try:
            answer = await asyncio.to_thread(
                self._client.get_object, Bucket=self._storage.settings.r2_bucket_name, Key=CHECK_KEY
            )
            date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        except ClientError as error:
            date = answer_of(error).date
        except BotoCoreError:
            return  # it cannot be reached, which was told
        skew = skew_of(date, datetime.now(UTC))
        if skew is None:
            yield skipped("storage clock", "the storage does not tell its time")
            return
        direction = "ahead of" if skew > timedelta(0) else "behind"
        text = f"this machine is {abs(skew).total_seconds():.0f} s {direction} the storage"
        if abs(skew) > _SKEW_FAILED:
            yield failed("storage clock", text, "set the clock of this machine, by NTP")
        elif abs(skew) > _SKEW_WARNED:
            yield warning("storage clock", text, "set the clock of this machine, by NTP")
        else:
            yield ok("storage clock", text)

    async def browsers(self) -> AsyncIterator[Finding]:
        """A direct upload as a client does it, and whether a page of the origin may do it."""
        if not await self._is_bucket():
            return
        store = open_bare(self._storage.settings)
        try:
            if not (store.signs_parts and _intake().direct_uploads):
                by = "MEDIAFLEET_DIRECT_UPLOADS or MEDIAFLEET_STORAGE_DIGEST"
                yield skipped("direct uploads", f"switched off by {by}")
                return
            key, content = f"{CHECK}doctor/{uuid4()}/direct", b"mediafleet doctor"
            multipart = await store.begin_multipart(key)
            try:
                crc32c = int(google_crc32c.value(content))
                signed = await store.sign_part(
                    key, multipart, 1, size=len(content), crc32c=crc32c, expires_in=timedelta(minutes=5)
                )
                async for finding in self._sent(signed.url, {**signed.headers}, content):
                    yield finding
            finally:
                await store.abort_multipart(key, multipart)
        except MediafleetError as error:
            yield refused("direct uploads", error)
        finally:
            await store.close()

    async def lifecycle(self) -> AsyncIterator[Finding]:
        """Rules that end multiparts too early, or delete what mediafleet keeps."""
        if not await self._is_bucket():
            return
        try:
            answer = await asyncio.to_thread(
                self._client.get_bucket_lifecycle_configuration, Bucket=self._storage.settings.r2_bucket_name
            )
            rules: Sequence[Any] = answer.get("Rules", ())
        except ClientError as error:
            code = answer_of(error).code
            if code == "NoSuchLifecycleConfiguration":
                yield self._no_rule()
            else:
                yield skipped("lifecycle", f"this access key may not read its rules ({code}); {self._default}")
            return
        except BotoCoreError:
            return
        for finding in list(judge_lifecycle(rules, _intake().upload_expiry)) or [self._no_rule()]:
            yield finding

    async def _sent(self, url: str, headers: dict[str, str], content: bytes) -> AsyncIterator[Finding]:
        asked = {
            "Origin": self._origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": f"content-type,{HEADER}",
        }
        origin = {"Origin": self._origin} if self._origin else {}
        try:
            async with trials.client() as session:
                sent = session.put(url, data=content, headers=headers | origin, skip_auto_headers=["content-type"])
                async with sent as put:
                    status, exposed = put.status, put.headers.get("Access-Control-Expose-Headers", "")
                allowed: dict[str, str] = {}
                if self._origin:
                    async with session.options(url, headers=asked) as preflight:
                        if preflight.status < 300:
                            allowed = {name.lower(): value for name, value in preflight.headers.items()}
        except (aiohttp.ClientError, TimeoutError) as error:
            yield failed("direct uploads", f"nothing answers ({type(error).__name__})", "check R2_ENDPOINT_URL")
            return
        if status == 200:
            yield ok("direct uploads", "a part was taken on a signed URL")
        else:
            yield failed("direct uploads", f"a part was answered by {status}", "set MEDIAFLEET_DIRECT_UPLOADS=false")
        yield await self._policy() if not self._origin else judge_cors(self._origin, allowed, exposed)

    async def _policy(self) -> Finding:
        try:
            answer = await asyncio.to_thread(self._client.get_bucket_cors, Bucket=self._storage.settings.r2_bucket_name)
        except ClientError as error:
            code = answer_of(error).code
            if code == "NoSuchCORSConfiguration":
                return warning("cors", "no page may send direct uploads", CORS_GUIDE)
            text = f"this access key may not read its rules ({code})"
            return skipped("cors", text, "--origin https://app.example.com asks as a browser does")
        except BotoCoreError as error:
            return skipped("cors", f"it was not told ({type(error).__name__})")
        origins = sorted({origin for rule in answer.get("CORSRules", ()) for origin in rule["AllowedOrigins"]})
        return ok("cors", f"pages of {', '.join(origins)} may send; --origin asks as a browser does")

    def _no_rule(self) -> Finding:
        if self._storage.settings.backend is Backend.R2:
            return ok("lifecycle", self._default)
        return warning(
            "lifecycle", "nothing ends multiparts that nobody finishes", "add a rule that aborts them after 7 days"
        )

    @property
    def _default(self) -> str:
        by_r2 = "R2 ends unfinished multiparts after 7 days, " if self._storage.settings.backend is Backend.R2 else ""
        return f"{by_r2}housekeeping those that no record names after MEDIAFLEET_STRAY_AGE"

    async def _is_bucket(self) -> bool:
        return self._storage.settings.backend in (Backend.S3, Backend.R2) and await self._storage.usable()

    @cached_property
    def _client(self) -> S3Client:
        return make_client(self._storage.settings)


def _intake() -> IntakeSettings:
    """Those of gateways; where they are wrong, which their own check tells, the defaults."""
    try:
        return read(IntakeSettings)
    except SettingsError:
        return IntakeSettings.model_construct()
