"""Runs a command that ends with the process that started it: `python tether.py PARENT_PID COMMAND...`.

A script of its own and not a `preexec_fn`, since that forks the caller with its threads and locks, gRPC's among them.
The command takes this process over, so its pid is the one that the caller knows.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the command, unless the parent is gone already. Off Linux the command is not bound."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            sys.exit("the parent has ended")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
