"""The Redis of the component, started with its own settings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import redis

from mediafleet_devserver.redis_server import find_redis_server, free_port
from tests.deploy.manifests import container, of_kind, size
from tests.waiting import wait_until


def test_it_keeps_everything_on_disk_and_evicts_nothing(tmp_path: Path) -> None:
    [conf] = [
        each["data"]["redis.conf"] for each in of_kind("dev", "ConfigMap") if "redis.conf" in each.get("data", {})
    ]
    [redis_set] = of_kind("dev", "StatefulSet")
    [data] = [mount for mount in container(redis_set)["volumeMounts"] if mount["name"] == "data"]
    assert f"\ndir {data['mountPath']}\n" in conf
    (tmp_path / "redis.conf").write_text(conf.replace(data["mountPath"], str(tmp_path)))
    program, settings, *password = container(redis_set)["args"]
    assert (program, settings, password[0]) == ("redis-server", "/etc/redis/redis.conf", "--requirepass")
    port = free_port()
    command = [str(find_redis_server()), str(tmp_path / "redis.conf"), "--requirepass", "word", "--bind", "127.0.0.1"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
    try:
        with redis.Redis(port=port, password="word", decode_responses=True, protocol=2) as client:

            def answers() -> bool:
                try:
                    return bool(client.ping())
                except redis.ConnectionError:
                    return False

            wait_until(answers, message="Redis")
            told = client.config_get()
    finally:
        process.terminate()
        process.wait(30)
    assert {key: told[key] for key in ("appendonly", "appendfsync", "maxmemory-policy", "save", "databases")} == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "databases": "2",
    }
    # What is written while the log is rewritten is held twice.
    assert int(told["maxmemory"]) * 4 / 3 <= size(container(redis_set)["resources"]["limits"]["memory"])
