"""Runs a command once nobody else runs one under the same file: alone.py FILE WAITING COMMAND...

The file must exist and stays as it is; says WAITING if somebody else is first.
"""

from __future__ import annotations

import fcntl
import os
import sys

file, waiting, *command = sys.argv[1:]
descriptor = os.open(file, os.O_RDONLY)
try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print(waiting, flush=True)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
# The command keeps the descriptor, and with it the lock, until it ends.
os.set_inheritable(descriptor, True)
os.execvp(command[0], command)
