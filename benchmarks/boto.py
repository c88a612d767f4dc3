"""boto3 as its users set it up, as a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from benchmarks.servers import Server, s3_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def s3_client(storage: Server, connections: int, **config: Any) -> S3Client:
    """A client of the storage, with botocore's defaults but for what `config` names."""
    settings = s3_settings(storage)
    return boto3.client(
        "s3",
        endpoint_url=settings["ENDPOINT_URL"],
        aws_access_key_id=settings["ACCESS_KEY_ID"],
        aws_secret_access_key=settings["SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        config=Config(max_pool_connections=connections, **config),
    )
