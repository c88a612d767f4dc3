"""The ledger's one connection: every caller gets its own answer, and a break is an error, never a wait or a mix-up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as NoAnswerError

from mediafleet_core.ledger.pipe import Pipe
from tests.waiting import eventually


@pytest.fixture
async def pipe(redis_client: Redis) -> AsyncIterator[Pipe]:
    pipe = Pipe(redis_client.connection_pool, timeout=10)
    yield pipe
    await pipe.close()


async def only_client(redis_client: Redis) -> str:
    """The id of the pipe's connection, the one that waits for nothing but commands."""
    mine = await redis_client.client_id()
    clients = await redis_client.client_list(_type="normal")
    (other,) = [client["id"] for client in clients if client["cmd"] in ("get", "echo") and client["id"] != str(mine)]
    return str(other)


async def ask_until_refused(pipe: Pipe) -> None:
    while True:  # a break is noticed a moment after it happened
        await pipe.call("GET", "nothing")


async def answers(pipe: Pipe) -> bool:
    """Whether it does within its time, which is too short for a busy machine."""
    try:
        return bool(await pipe.call("ECHO", "again") == b"again")
    except (NoAnswerError, BrokenError):
        return False


async def test_everybody_gets_their_own_answer(pipe: Pipe) -> None:
    answers = await asyncio.gather(*(pipe.call("ECHO", str(number)) for number in range(500)))
    assert [int(answer) for answer in answers] == list(range(500))


async def test_a_refusal_is_for_its_caller_alone(pipe: Pipe) -> None:
    answers = await asyncio.gather(
        pipe.call("ECHO", "a"), pipe.call("NO-SUCH-COMMAND"), pipe.call("ECHO", "b"), return_exceptions=True
    )
    assert (answers[0], answers[2]) == (b"a", b"b")
    assert isinstance(answers[1], ResponseError)


async def test_a_caller_that_leaves_takes_nobodys_answer(pipe: Pipe) -> None:
    await pipe.call("ECHO", "connected")
    leaving = asyncio.create_task(pipe.call("ECHO", "unheard"))
    staying = asyncio.create_task(pipe.call("ECHO", "heard"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == b"heard"
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await pipe.call("ECHO", "later") == b"later"


async def test_a_broken_connection_is_an_error_and_then_a_new_one(pipe: Pipe, redis_client: Redis) -> None:
    await pipe.call("ECHO", "a")
    await redis_client.client_kill_filter(_id=await only_client(redis_client))
    with pytest.raises(BrokenError):
        await ask_until_refused(pipe)
    assert await pipe.call("ECHO", "again") == b"again"


async def test_silence_is_a_break_for_all_who_wait(redis_client: Redis) -> None:
    pipe = Pipe(redis_client.connection_pool, timeout=0.3)
    blocked = await asyncio.gather(
        pipe.call("BLPOP", "nothing-comes", "0"), pipe.call("ECHO", "behind it"), return_exceptions=True
    )
    assert all(isinstance(error, NoAnswerError | BrokenError) for error in blocked)
    await eventually(lambda: answers(pipe))
    await pipe.close()


async def test_silence_is_a_break_even_if_nobody_waits_that_long(redis_client: Redis) -> None:
    pipe = Pipe(redis_client.connection_pool, timeout=0.3)
    await eventually(lambda: answers(pipe))
    blocked = asyncio.create_task(pipe.call("BLPOP", "nothing-comes", "0"))
    await asyncio.sleep(0)
    blocked.cancel()
    answer = None
    while answer is None:  # each caller leaves long before the time-out
        with contextlib.suppress(TimeoutError, NoAnswerError, BrokenError):
            async with asyncio.timeout(0.05):
                answer = await pipe.call("ECHO", "heard")
    assert answer == b"heard"
    await pipe.close()


async def test_what_is_closed_stays_closed(redis_client: Redis) -> None:
    pipe = Pipe(redis_client.connection_pool, timeout=10)
    await pipe.call("ECHO", "connected")
    await pipe.close()
    with pytest.raises(BrokenError):
        await pipe.call("ECHO", "again")


async def test_nobody_waits_for_ever_when_it_is_closed(redis_client: Redis) -> None:
    pipe = Pipe(redis_client.connection_pool, timeout=10)
    await pipe.call("ECHO", "connected")
    waiting = asyncio.create_task(pipe.call("BLPOP", "nothing-comes", "0"))
    await asyncio.sleep(0)
    await pipe.close()
    with pytest.raises(BrokenError):
        await waiting


async def test_no_server_is_an_error() -> None:
    client = Redis(port=1, retry=Retry(NoBackoff(), 0))
    pipe = Pipe(client.connection_pool, timeout=10)
    with pytest.raises(BrokenError):
        await pipe.call("ECHO", "a")
    await pipe.close()
