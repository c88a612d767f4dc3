"""The gRPC server: what it serves, through which interceptors, with which limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from mediafleet.v1 import (
    batches_pb2,
    batches_pb2_grpc,
    fleet_pb2_grpc,
    notifications_pb2_grpc,
    uploads_pb2,
    uploads_pb2_grpc,
    usage_pb2_grpc,
)
from mediafleet.v1.batches_pb2_grpc import BatchServiceServicer
from mediafleet.v1.fleet_pb2_grpc import FleetServiceServicer
from mediafleet.v1.notifications_pb2_grpc import NotificationServiceServicer
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet.v1.usage_pb2_grpc import UsageServiceServicer
from mediafleet_gateway import frames
from mediafleet_gateway.admission import Admission
from mediafleet_gateway.auth import TokenVerifier
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.interceptors.admitting import Admitting
from mediafleet_gateway.interceptors.around import Handler
from mediafleet_gateway.interceptors.auth import Auth
from mediafleet_gateway.interceptors.draining import Draining
from mediafleet_gateway.interceptors.errors import Errors
from mediafleet_gateway.interceptors.metrics import Metrics
from mediafleet_gateway.methods import methods_of

MAX_MESSAGE = 4 * (1 << 20) + (1 << 16)
"""Bytes; above the largest content of our own limits, which answer with a better error than gRPC does."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.absolute_max_metadata_size", 32 << 10),
    # Clients behind NATs ping often; by default, and with a shorter interval alone, they get too_many_pings.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    # Left to its probing, HTTP/2 opens a stream's window ever wider, and what clients send while storage is slow piles
    # up here. 1 MiB keeps 80 Mbit/s going over 100 ms, for each upload.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1 << 20),
    # A burst waits; the default refuses calls beyond 1,000 that no handler has taken up.
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
)

SERVICES = (
    "mediafleet.v1.UploadService",
    "mediafleet.v1.BatchService",
    "mediafleet.v1.UsageService",
    "mediafleet.v1.NotificationService",
    "mediafleet.v1.FleetService",
    "grpc.health.v1.Health",
)


class Servicers(NamedTuple):
    """Every service of ours, and health."""

    uploads: UploadServiceServicer
    batches: BatchServiceServicer
    usage: UsageServiceServicer
    notifications: NotificationServiceServicer
    fleet: FleetServiceServicer
    health: health.HealthServicer


def make_server(
    servicers: Servicers,
    verifier: TokenVerifier,
    admission: Admission,
    drain: Drain,
    *,
    connection_age: timedelta,
    shared_port: bool = False,
) -> grpc.aio.Server:
    """A server that is not bound yet; after `connection_age` a connection takes no new calls, and its streams go on."""
    methods = methods_of([*SERVICES, reflection.SERVICE_NAME])
    # The outermost first.
    interceptors = (
        Metrics(methods),
        Errors(methods),
        Auth(methods, verifier),
        Admitting(methods, admission),
        Draining(methods, drain),
    )
    # A second process on the same port is a mistake and must fail to bind, unless it was asked for.
    options = (
        *_OPTIONS,
        ("grpc.so_reuseport", int(shared_port)),
        ("grpc.max_connection_age_ms", round(connection_age.total_seconds() * 1000)),
    )
    server = grpc.aio.server(interceptors=interceptors, options=options)
    uploads_pb2_grpc.add_UploadServiceServicer_to_server(servicers.uploads, server)
    server.add_registered_method_handlers("mediafleet.v1.UploadService", _by_hand(servicers.uploads))
    usage_pb2_grpc.add_UsageServiceServicer_to_server(servicers.usage, server)
    batches_pb2_grpc.add_BatchServiceServicer_to_server(servicers.batches, server)
    watch_batch = _writing_bytes(servicers.batches.WatchBatch, batches_pb2.WatchBatchRequest)
    server.add_registered_method_handlers("mediafleet.v1.BatchService", {"WatchBatch": watch_batch})
    notifications_pb2_grpc.add_NotificationServiceServicer_to_server(servicers.notifications, server)
    fleet_pb2_grpc.add_FleetServiceServicer_to_server(servicers.fleet, server)
    health_pb2_grpc.add_HealthServicer_to_server(servicers.health, server)
    reflection.enable_server_reflection([*SERVICES, reflection.SERVICE_NAME], server)
    return server


def _by_hand(uploads: UploadServiceServicer) -> dict[str, Handler]:
    """Take the place of generated handlers: their parser copies content twice, their serializer works per watcher."""
    write = grpc.stream_unary_rpc_method_handler(
        uploads.WriteUpload,
        request_deserializer=frames.parse,
        response_serializer=uploads_pb2.WriteUploadResponse.SerializeToString,
    )
    return {
        "WriteUpload": write,
        "WatchUpload": _writing_bytes(uploads.WatchUpload, uploads_pb2.WatchUploadRequest),
        "WatchUploads": _writing_bytes(uploads.WatchUploads, uploads_pb2.WatchUploadsRequest),
    }


def _writing_bytes(method: Callable[..., Any], request: type[Message]) -> Handler:
    return grpc.unary_stream_rpc_method_handler(method, request_deserializer=request.FromString)
