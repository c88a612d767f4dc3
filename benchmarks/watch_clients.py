"""Watchers in a process of their own: opened in one burst, counted and timed.

`python -m benchmarks.watch_clients ADDRESS CONNECTIONS ID...` opens one watch for each id (`*` follows all uploads),
spread over so many connections, and prints {"opened", "refused", "seconds"} when each has had its first message. From
each line on stdin to the next it collects the progress that comes, and prints how old each was, in microseconds:
writers put their clock into `items_done`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

import grpc

from mediafleet.v1 import uploads_pb2 as pb

EVERYTHING = "*"
"""In the place of an id: all uploads of the tenant."""

SERVICE = "/mediafleet.v1.UploadService/"
OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    # A window of 64 KiB, the default, takes half a minute to fill where a watcher stops reading.
    ("grpc.http2.lookahead_bytes", 4096),
    ("grpc.http2.bdp_probe", 0),
]


class Watchers:
    """All of this process. Messages are kept as they came and parsed when nothing is timed."""

    def __init__(self) -> None:
        self.opened = 0
        self.refused: Counter[str] = Counter()
        self.heard: list[tuple[int, bytes]] = []

    async def follow(self, channel: grpc.aio.Channel, upload_id: str, ready: asyncio.Event, total: int) -> None:
        """One watch, to its end."""
        try:
            call = _open(channel, upload_id)
            first = True
            while isinstance(raw := await call.read(), bytes):
                self.heard.append((time.monotonic_ns(), raw))
                if first:
                    first, self.opened = False, self.opened + 1
                    self._look(ready, total)
        except grpc.aio.AioRpcError as error:
            self.refused[error.code().name] += 1
            self._look(ready, total)

    def ages(self) -> list[int]:
        """Of the progress heard, in microseconds."""
        events = ((at, pb.UploadEvent.FromString(raw)) for at, raw in self.heard)
        return [at // 1000 - event.progress.items_done for at, event in events if event.HasField("progress")]

    def _look(self, ready: asyncio.Event, total: int) -> None:
        if self.opened + sum(self.refused.values()) >= total:
            ready.set()


def _open(channel: grpc.aio.Channel, upload_id: str) -> grpc.aio.UnaryStreamCall[bytes, bytes]:
    name, request = "WatchUpload", pb.WatchUploadRequest(upload_id=upload_id).SerializeToString()
    if upload_id == EVERYTHING:
        name, request = "WatchUploads", pb.WatchUploadsRequest().SerializeToString()
    method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(SERVICE + name)
    return method(request)


async def main(address: str, connections: int, upload_ids: Sequence[str]) -> None:
    """Until stdin ends."""
    channels = [grpc.aio.insecure_channel(address, options=OPTIONS) for _ in range(connections)]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    watchers, ready = Watchers(), asyncio.Event()
    begun = time.perf_counter()
    tasks = [
        asyncio.create_task(watchers.follow(channels[number % connections], upload_id, ready, len(upload_ids)))
        for number, upload_id in enumerate(upload_ids)
    ]
    await ready.wait()
    _say({"opened": watchers.opened, "refused": watchers.refused, "seconds": time.perf_counter() - begun})
    lines = await _stdin()
    while await lines.readline():
        watchers.heard.clear()
        await lines.readline()
        _say(watchers.ages())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
