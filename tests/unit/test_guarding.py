"""What tests start ends with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.processes import alive
from tests.waiting import wait_until

OWNER = """
import subprocess, sys, threading
from tests.guarding import guarded

def start():
    print(guarded(subprocess.Popen(["sleep", "1000"])).pid, flush=True)

thread = threading.Thread(target=start)
thread.start()
thread.join()
print("the thread has ended", flush=True)
sys.stdin.read()
"""


def test_a_process_outlives_the_thread_that_started_it_and_not_the_tests() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert owner.stdout.readline() == "the thread has ended\n"
        assert alive(pid)
        owner.kill()
    wait_until(lambda: not alive(pid), message="it to end")
