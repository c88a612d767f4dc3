"""Logs are JSON lines; addresses are read and told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mediafleet_core.telemetry.metrics import Address, address

_PROGRAM = """
import logging, structlog
from mediafleet_core.telemetry import logs
logs.configure("gateway")
structlog.contextvars.bind_contextvars(tenant="ann")
structlog.get_logger("ours").info("one", upload_id="u1")
logging.getLogger("theirs").warning("two %s", 2)
try:
    raise RuntimeError("why")
except RuntimeError:
    structlog.get_logger("ours").exception("three", incident="i1")
"""


def _lines() -> Iterator[dict[str, str]]:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return map(json.loads, done.stdout.splitlines())


def test_every_log_is_one_json_line_with_its_context() -> None:
    one, two, three = _lines()
    assert {"event": "one", "level": "info", "logger": "ours", "upload_id": "u1"}.items() <= one.items()
    assert {"event": "two 2", "level": "warning", "logger": "theirs"}.items() <= two.items()
    assert "RuntimeError: why" in three["exception"]
    for line in (one, two, three):
        assert line["tenant"] == "ann"
        assert line["component"] == "gateway"
        assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("text", "expected", "loopback"),
    [
        ("127.0.0.1:8070", Address("127.0.0.1", 8070), True),
        ("localhost:0", Address("localhost", 0), True),
        ("[::1]:9", Address("::1", 9), True),
        ("[::]:9", Address("::", 9), False),
        ("0.0.0.0:80", Address("0.0.0.0", 80), False),
        ("gateway.example:80", Address("gateway.example", 80), False),
    ],
)
def test_an_address_is_read_and_told_alike(text: str, expected: Address, loopback: bool) -> None:
    assert address(text) == expected
    assert str(expected) == text
    assert expected.loopback is loopback


@pytest.mark.parametrize("text", ["", "8070", ":8070", "host:", "host:port", "host:65536", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        address(text)
