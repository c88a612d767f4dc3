"""Ctrl-C and SIGTERM: a command dies of them, and puts in order first what it has begun."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

SIGNALS = (signal.SIGINT, signal.SIGTERM)

AT_WORK = """
import asyncio, sys, time
from mediafleet.cli import interrupts

async def work():
    try:
        print("at work", flush=True)
        await asyncio.sleep(600)
    finally:
        print("puts in order", flush=True)
        await asyncio.sleep(float(sys.argv[1]))

def plain_work():
    with interrupts.told():
        try:
            print("at work", flush=True)
            time.sleep(600)
        finally:
            print("puts in order", flush=True)
            time.sleep(float(sys.argv[1]))

try:
    interrupts.run(work()) if sys.argv[2] == "asynchronous" else plain_work()
except KeyboardInterrupt as interrupt:
    interrupts.die(interrupts.exit_code(interrupt))
"""

AT_THE_FIRST_IMPORT = """
import signal, sys
import mediafleet.__main__

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
mediafleet.__main__.main()
"""


def ended(script: str, *arguments: str, signals: Sequence[tuple[str, signal.Signals]] = ()) -> tuple[int, list[str]]:
    """How a process ends that gets each signal when it has said the word for it, and what it says."""
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        rescue = threading.Timer(60, process.kill)
        rescue.start()
        assert process.stdout is not None
        said: list[str] = []
        for word, number in signals:
            while not said or word not in said[-1]:
                said.append(next(process.stdout).strip())
            process.send_signal(number)
        rest, _ = process.communicate()
        rescue.cancel()
    return process.returncode, [*said, *rest.splitlines()]


@pytest.mark.parametrize("manner", ["asynchronous", "plain"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_died_of_when_all_is_in_order(manner: str, number: signal.Signals) -> None:
    assert ended(AT_WORK, "0.01", manner, signals=[("at work", number)]) == (-number, ["at work", "puts in order"])


@pytest.mark.parametrize("manner", ["asynchronous", "plain"])
def test_a_second_signal_waits_for_nothing(manner: str) -> None:
    signals = [("at work", signal.SIGTERM), ("puts in order", signal.SIGINT)]
    assert ended(AT_WORK, "600", manner, signals=signals) == (-signal.SIGINT, ["at work", "puts in order"])


def test_a_signal_while_the_program_is_imported_is_no_traceback() -> None:
    assert ended(AT_THE_FIRST_IMPORT) == (-signal.SIGINT, [])


def test_a_job_in_the_background_is_not_interrupted() -> None:
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{AT_WORK}"
    signals = [("at work", signal.SIGINT), ("at work", signal.SIGTERM)]
    assert ended(ignoring, "0.01", "asynchronous", signals=signals) == (-signal.SIGTERM, ["at work", "puts in order"])
