"""Ctrl-C and SIGTERM in the middle of a command: it ends at once, in few words, and goes on when run again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests import command_line
from tests.integration.scripted_gateway import ScriptedGateway, serving

SOON = 60.0
"""Seconds that only a command waits which hangs."""

CALLED = "Interrupted. The same command goes on where this one stopped.\n"


async def signalled(process: asyncio.subprocess.Process, *numbers: signal.Signals) -> tuple[int, str, str]:
    """How it ends after these signals, and what it has said."""
    for number in numbers:
        process.send_signal(number)
    rescue = asyncio.get_running_loop().call_later(SOON, process.kill)
    out, err = await process.communicate()
    rescue.cancel()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_an_upload_that_is_interrupted_goes_on_when_run_again(tmp_path: Path) -> None:
    film, fifo = tmp_path / "film.bin", tmp_path / "fifo"
    film.write_bytes(bytes(range(256)) * (5 << 12))
    os.mkfifo(fifo)
    gateway = ScriptedGateway()
    async with serving(gateway) as address:
        process = await command_line.start("upload", str(film), str(fifo), endpoint=address)
        end = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)  # when the command has opened it, too
        async with asyncio.timeout(SOON):
            await gateway.taken.wait()
        assert await signalled(process, signal.SIGTERM) == (-signal.SIGTERM, "", CALLED)
        os.close(end)
        again = await command_line.mediafleet("upload", str(film), endpoint=address)
    assert again.returncode == 0
    assert [bytes(content) for content in gateway.content.values()] == [film.read_bytes()]


async def test_an_upload_of_the_standard_input_ends_in_silence() -> None:
    gateway = ScriptedGateway()
    async with serving(gateway) as address:
        process = await command_line.start("upload", "-", "--name", "x", endpoint=address, stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(bytes(3 << 20))
        async with asyncio.timeout(SOON):
            await gateway.taken.wait()  # and waits for more
        assert await signalled(process, signal.SIGINT) == (-signal.SIGINT, "", "")


async def test_a_question_without_an_answer_ends_in_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = await command_line.start("list", endpoint="{}:{}".format(*silent.getsockname()))
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            assert await signalled(process, signal.SIGINT) == (-signal.SIGINT, "", "")


@pytest.mark.long
@pytest.mark.parametrize("command", [["list"], ["upload", "film.bin"], ["watch", "u-1"]])
@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGINT] * 2, [signal.SIGTERM]])
async def test_a_signal_at_any_moment(command: list[str], signals: list[signal.Signals], tmp_path: Path) -> None:
    (tmp_path / "film.bin").write_bytes(bytes(range(256)) * (5 << 12))
    gateway = ScriptedGateway()
    gateway.keep("u-1")
    async with serving(gateway) as address:
        for moment in range(0, 1200, 30):
            process = await command_line.start(*command, endpoint=address, cwd=tmp_path)
            await asyncio.sleep(moment / 1000)
            if process.returncode is not None:
                break
            code, _, err = await signalled(process, *signals)
            assert code in (0, 1, *(-number for number in signals))
            # Before its first line an interrupt is Python's own, and told as such.
            ours = "mediafleet/cli" in err or "grpc" in err
            assert not ("Traceback" in err and ours), f"after {moment} ms: {err}"
