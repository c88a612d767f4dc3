"""A Redis that can be made to forget, as a power loss or a failover does."""

from __future__ import annotations

import os
from pathlib import Path

import redis

from mediafleet_devserver.redis_server import free_port, start_redis
from tests.waiting import wait_until


class ForgetfulRedis:
    """One server on one port; what is at that port may be replaced by something that knows less."""

    def __init__(self, folder: Path) -> None:
        """Runs at once, and has everything on disk that it acknowledges."""
        self._folder, self._port = folder, free_port()
        folder.mkdir()
        self._process = start_redis(folder, self._port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def written(self) -> int:
        """Bytes of its log so far."""
        return log_of(self._folder).stat().st_size

    def kill(self) -> None:
        """SIGKILL; the machine, and so what the kernel was given, lives on."""
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        """With what it finds on disk."""
        self._process = start_redis(self._folder, self._port)

    def lose_power(self, kept: int) -> None:
        """Back with only so many bytes of its log, as if the rest had never reached the disk."""
        self.kill()
        os.truncate(log_of(self._folder), kept)
        self.start()

    def replica(self, folder: Path) -> Replica:
        """One that has received everything so far."""
        return Replica(folder, self._port)

    def fail_over(self, replica: Replica) -> None:
        """The master is gone, and its address leads to the replica, with what that had received."""
        self.kill()
        replica.end()
        self._folder = replica.folder
        self.start()

    def end(self) -> None:
        self.kill()


class Replica:
    """A server that follows a master."""

    def __init__(self, folder: Path, master_port: int) -> None:
        """Returns when it has received everything so far, and has it on disk."""
        self.folder = folder
        folder.mkdir()
        port = free_port()
        self._process = start_redis(folder, port)
        self._client = redis.Redis(port=port, protocol=2, decode_responses=True)
        self._client.replicaof("127.0.0.1", master_port)
        wait_until(self._follows, message="the replica to have everything")

    def fall_behind(self) -> None:
        """It is cut off from its master, and will receive nothing more."""
        self._client.replicaof("NO", "ONE")

    def end(self) -> None:
        """With everything that it has received on its disk."""
        self._client.close()
        self._process.terminate()
        self._process.wait(30)

    def _follows(self) -> bool:
        found = self._client.info()
        return found.get("master_link_status") == "up" and not (
            found["aof_rewrite_in_progress"] or found["aof_rewrite_scheduled"]
        )


def log_of(folder: Path) -> Path:
    """The append-only file; newer servers keep it in a folder of its own."""
    return max(folder.rglob("*.aof"), key=os.path.getmtime)
