"""Requests in hand are bounded."""

from __future__ import annotations

import asyncio

from natscli.reply.backlog import Backlog


def test_no_more_requests_than_allowed_are_accepted() -> None:
    async def check() -> None:
        backlog = Backlog(2, 1000)
        assert [backlog.accept(1) for _ in range(3)] == [True, True, False]
        backlog.done(1)
        assert backlog.accept(1)
        assert backlog.requests == 2

    asyncio.run(check())


def test_no_more_bytes_than_allowed_are_accepted_but_one_request_always_is() -> None:
    async def check() -> None:
        backlog = Backlog(10, 100)
        assert backlog.accept(500)
        assert not backlog.accept(0)
        backlog.done(500)
        assert [backlog.accept(60), backlog.accept(41), backlog.accept(40)] == [True, False, True]

    asyncio.run(check())


def test_it_is_empty_when_all_are_done() -> None:
    async def check() -> None:
        backlog = Backlog(10, 100)
        await backlog.empty()
        backlog.accept(1)
        backlog.accept(2)
        waiting = asyncio.ensure_future(backlog.empty())
        backlog.done(1)
        await asyncio.sleep(0)
        assert not waiting.done()
        backlog.done(2)
        await asyncio.wait_for(waiting, 10)

    asyncio.run(check())
