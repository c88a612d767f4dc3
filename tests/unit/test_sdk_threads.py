"""The synchronous client between threads: whenever one closes it, every other is told, and none waits for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import NoReturn

import pytest

from mediafleet.synchronous import LoopThread
from tests.lines import BeforeLine


async def one() -> int:
    await asyncio.sleep(0)
    return 1


def by_another_thread(act: Callable[[], object]) -> None:
    other = threading.Thread(target=act)
    other.start()
    other.join()


# Work that was made and never begun: Python says so, and it is right.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_call_during_which_another_thread_closes_is_answered_or_told_so(caplog: pytest.LogCaptureFixture) -> None:
    answers = set[int | str]()
    for line in count(1):
        thread = LoopThread()
        try:
            with BeforeLine(line, partial(by_another_thread, thread.close)) as before:
                answers.add(thread.run(one()))
        except RuntimeError as error:
            answers.add(str(error))
        thread.close()
        if before.left > 0:
            break
    assert answers == {1, "the client is closed"}
    assert [record.message for record in caplog.records] == []


def test_a_call_that_is_under_way_when_another_thread_closes_is_ended() -> None:
    thread, begun = LoopThread(), threading.Event()

    async def for_ever() -> None:
        begun.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(thread.run, for_ever())
        begun.wait()
        thread.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            waiting.result()


def test_calls_are_refused_while_it_closes_and_any_number_of_threads_may_close() -> None:
    thread, closing, refused = LoopThread(), threading.Event(), threading.Event()

    async def last() -> None:
        closing.set()
        await asyncio.to_thread(refused.wait)

    with ThreadPoolExecutor() as pool:
        closers = [pool.submit(thread.close, last) for _ in range(3)]
        closing.wait()
        with pytest.raises(RuntimeError, match="the client is closed"):
            thread.run(one())
        refused.set()
        for closer in closers:
            closer.result()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_callback_that_ends_its_thread_ends_its_call_alone(kind: type[BaseException]) -> None:
    thread = LoopThread()

    async def told() -> NoReturn:
        raise kind

    async def told_in_a_task() -> None:
        await asyncio.create_task(told())

    for work in (told, told_in_a_task):
        with pytest.raises(kind):
            thread.run(work())
    assert thread.run(one()) == 1
    thread.close()
