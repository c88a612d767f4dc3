"""The reference for the gateway: a bare grpc.aio server that discards what it gets and answers empty messages."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import grpc
import uvloop

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer, add_UploadServiceServicer_to_server


class Bare(UploadServiceServicer):
    """No ledger, no storage, no checks."""

    async def WriteUpload(  # noqa: N802
        self, requests: AsyncIterator[pb.WriteUploadRequest], context: object
    ) -> pb.WriteUploadResponse:
        """Reads to the end."""
        size = 0
        async for request in requests:
            size += len(request.content)
        return pb.WriteUploadResponse(committed_size=size)

    async def GetUpload(  # noqa: N802
        self, request: pb.GetUploadRequest, context: object
    ) -> pb.GetUploadResponse:
        """Knows nothing."""
        return pb.GetUploadResponse()


async def _serve(address: str) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 5 << 20)])
    add_UploadServiceServicer_to_server(Bare(), server)
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
