"""The command line in a process of its own, as people and programs run it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path


async def start(
    *arguments: str,
    endpoint: str | None = None,
    cwd: Path | None = None,
    token: str = "",
    stdin: int | None = None,
    stdout: int = subprocess.PIPE,
) -> asyncio.subprocess.Process:
    """The command, running; it knows nothing but what it is told here."""
    environment = {"PATH": "/nowhere", "MEDIAFLEET_TOKEN": token, "MEDIAFLEET_ENDPOINT": endpoint or ""}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mediafleet",
        *arguments,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=cwd,
    )


async def mediafleet(
    *arguments: str, endpoint: str | None = None, cwd: Path | None = None, token: str = ""
) -> subprocess.CompletedProcess[str]:
    """What it printed and how it ended; it shows neither the token nor a traceback."""
    process = await start(*arguments, endpoint=endpoint, cwd=cwd, token=token)
    stdout, stderr = await process.communicate()
    out, err = stdout.decode(), stderr.decode()
    assert not token or token not in out + err
    assert "Traceback" not in err, err
    assert process.returncode is not None
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)
