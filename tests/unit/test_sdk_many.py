"""Many at a time: where several fail, one is told, and of the others nothing is heard."""

from __future__ import annotations

import gc

import pytest

from mediafleet.many import each, in_parallel


async def fail(number: int) -> int:
    raise LookupError(number)


async def test_of_several_that_fail_at_once_one_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(LookupError):
        async for _ in in_parallel(each(range(3)), fail, 3):
            pass
    gc.collect()
    assert [record.message for record in caplog.records] == []
