"""The reference for the way to storage: parts from memory to the sink through a plain connection pool, three at once.

python -m benchmarks.bare_sender HOST:PORT BYTES   prints the CPU seconds that sending took
"""

from __future__ import annotations

import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import urllib3

PART = 8 << 20
CHUNK = bytes(1 << 20)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(address: str, size: int) -> float:
    """Send so many bytes."""
    pool = urllib3.PoolManager(maxsize=3, block=True, retries=False)
    chunks, headers = [CHUNK] * (PART // len(CHUNK)), {"content-length": str(PART)}

    def put(number: int) -> None:
        url = f"http://{address}/bench/bare?partNumber={number}&uploadId=bare"
        assert pool.request("PUT", url, body=chunks, headers=headers).status == 200

    put(1)
    before = _cpu()
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(put, range(1, size // PART + 1)))
    return _cpu() - before


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
