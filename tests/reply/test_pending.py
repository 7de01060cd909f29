"""Requests that are pending are bounded."""

from __future__ import annotations

import asyncio

from natscli.message.message import Message, memory_of
from natscli.reply.pending import Pending


def sized(*sizes: int) -> list[Message]:
    """Requests that take so many bytes of memory."""
    empty = memory_of([(b"a", b"b", None, b"")])
    requests: list[Message] = [(b"a", b"b", None, b"x" * (size - empty)) for size in sizes]
    assert [memory_of([request]) for request in requests] == list(sizes)
    return requests


def test_no_more_requests_than_allowed_are_accepted() -> None:
    async def check() -> None:
        pending = Pending(2, 100_000)
        (one,) = sized(400)
        assert [pending.add([one]) for _ in range(3)] == [True, True, False]
        pending.remove([one])
        assert pending.add([one])
        assert pending.requests == 2

    asyncio.run(check())


def test_a_batch_is_accepted_as_a_whole_or_not_at_all() -> None:
    async def check() -> None:
        pending = Pending(5, 2000)
        assert not pending.add(sized(400) * 6)
        assert not pending.add(sized(1500, 600))
        assert pending.add(sized(400, 400))
        assert not pending.add(sized(400) * 4)
        assert pending.requests == 2

    asyncio.run(check())


def test_no_more_bytes_than_allowed_are_accepted_but_one_request_always_is() -> None:
    async def check() -> None:
        pending = Pending(10, 1000)
        assert pending.add(sized(5000))
        assert not pending.add(sized(301))
        pending.remove(sized(5000))
        assert [pending.add(sized(size)) for size in (600, 401, 400)] == [True, False, True]

    asyncio.run(check())


def test_it_is_empty_when_all_are_done() -> None:
    async def check() -> None:
        pending = Pending(10, 100_000)
        reminded: list[float] = []
        await pending.empty(10, reminded.append)
        pending.add(sized(400, 400))
        waiting = asyncio.ensure_future(pending.empty(0.01, reminded.append))
        while len(reminded) < 2:
            await asyncio.sleep(0.01)
        assert reminded == sorted(reminded)
        assert reminded[0] >= 0.01
        pending.remove(sized(400))
        await asyncio.sleep(0)
        assert not waiting.done()
        pending.remove(sized(400))
        await asyncio.wait_for(waiting, 10)

    asyncio.run(check())
