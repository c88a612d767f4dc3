"""boto3's S3 client, set up for Cloudflare R2."""

from __future__ import annotations

import gzip
import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import JSONFileLoader, create_loader

from mediafleet_core.storage.settings import StorageSettings
from mediafleet_core.storage.signed_puts import CONNECT_TIMEOUT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_ANYWHERE = {
    "version": 3,
    "partitions": [
        {
            "partition": "aws",
            "dnsSuffix": "amazonaws.com",
            "regionRegex": ".*",
            "regions": {},
            "services": {},
            "defaults": {"hostname": "{service}.{region}.{dnsSuffix}", "signatureVersions": ["s3v4"]},
        }
    ],
}
"""In place of the hosts of AWS: the settings name the endpoint."""


class _Lean(JSONFileLoader):
    """botocore's data without the manual and the hosts of AWS, which every process would hold: 10 MiB."""

    def load_file(self, file_path: str) -> Any:
        """The description, or None; `file_path` has no suffix."""
        if Path(file_path).name == "endpoints":
            return _ANYWHERE
        for suffix, open_file in ((".json", open), (".json.gz", gzip.open)):
            if Path(file_path + suffix).is_file():
                with open_file(file_path + suffix, "rb") as file:
                    return json.loads(file.read(), object_hook=_bare)
        return None


def _bare(entry: dict[str, Any]) -> dict[str, Any]:
    if "documentation" in entry:
        entry["documentation"] = ""
    return entry


def make_client(settings: StorageSettings) -> S3Client:
    """A client that signs and controls; it connects at its first call."""
    bare = botocore.session.Session()
    loader = create_loader()
    loader.file_loader = _Lean()
    bare.register_component("data_loader", loader)
    client: S3Client = boto3.session.Session(
        botocore_session=bare,
        aws_access_key_id=settings.r2_access_key_id,
        aws_secret_access_key=settings.r2_secret_access_key.get_secret_value(),
        region_name=settings.r2_region,
    ).client(
        "s3",
        endpoint_url=settings.endpoint_url,
        verify=str(settings.storage_ca_file) if settings.storage_ca_file else None,
        config=Config(
            signature_version="s3v4",
            # Bodies carry a checksum of their own; hashing them once more for the signature would double the cost.
            s3={
                "addressing_style": "path",
                "payload_signing_enabled": False,
                "us_east_1_regional_endpoint": "regional",  # else botocore looks for a host of AWS for this one
            },
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # No mode of botocore knows R2's list of what to repeat: see `s3_errors`.
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=settings.storage_connections,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=settings.storage_timeout.total_seconds(),
            tcp_keepalive=True,
        ),
    )
    client.meta.events.register("before-call.s3.DeleteObjects", _with_md5)
    return client


def _with_md5(params: dict[str, Any], **_: Any) -> None:
    """Every S3 server knows Content-MD5, which DeleteObjects has always required; botocore's CRC32 not every one."""
    params["context"].get("checksum", {}).pop("request_algorithm", None)
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = b64encode(digest).decode()
