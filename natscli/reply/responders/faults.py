"""Faults on demand: replies that come late, are errors, or never come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from random import SystemRandom
from typing import TYPE_CHECKING

from natscli.duration import parse_duration
from natscli.errors import InputError
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder, Wrapper, fail

if TYPE_CHECKING:
    from natscli.reply.options import ReplyOptions

_CODES = range(100, 1000)


@dataclass(frozen=True)
class Faults:
    """How often requests fail or are dropped (0 to 1), with which code, and how long (seconds) replies are delayed.

    What happens to a request depends on `seed` and its number only, so that it happens again.
    """

    seed: int
    fail: float = 0.0
    code: int = 500
    drop: float = 0.0
    shortest: float = 0.0
    longest: float = 0.0

    def of(self, number: int) -> tuple[Fate, float]:
        """What happens to the request with this number, and the seconds after which it does."""
        digest = blake2b(b"%d %d" % (self.seed, number), digest_size=24).digest()
        drop, failure, delay = (int.from_bytes(digest[i : i + 8], "big") / 2**64 for i in (0, 8, 16))
        kind = Fate.DROP if drop < self.drop else Fate.FAIL if failure < self.fail else Fate.ANSWER
        return kind, self.shortest + (self.longest - self.shortest) * delay


class Fate(Enum):
    """What happens to a request."""

    ANSWER = 0
    FAIL = 1
    DROP = 2


class Faulty(Wrapper):
    """A responder with faults."""

    def __init__(self, inner: Responder, faults: Faults) -> None:
        super().__init__(inner)
        self._faults = faults
        self._failure = Failure(faults.code, "failed on purpose", notice="")
        self.immediate = inner.immediate and not faults.longest

    async def start(self, host: Host) -> None:
        await super().start(host)
        self._log = host.environment.log
        self._loop = asyncio.get_running_loop()

    def respond(self, batch: Batch, done: Done) -> None:
        fates = [self._faults.of(number) for number in range(batch.first, batch.first + len(batch.requests))]
        if not self._faults.longest:
            for kind, part in batch.runs([kind for kind, _ in fates]):
                self._apply(kind, part, done)
            return
        for (kind, delay), one in zip(fates, batch.single(), strict=True):
            self._loop.call_later(delay, self._apply, kind, one, done)

    def _apply(self, kind: Fate, batch: Batch, done: Done) -> None:
        if kind is Fate.ANSWER:
            self.inner.respond(batch, done)
            return
        # Logged after the requests, which are shown once they are answered.
        self._loop.call_soon(self._log_faults, kind, batch)
        if kind is Fate.FAIL:
            self.inner.answered_elsewhere(batch.requests)
            fail(batch, done, self._failure)
        else:
            done(batch, [], None)

    def _log_faults(self, kind: Fate, batch: Batch) -> None:
        what = f"failed with {self._faults.code} (--fail)" if kind is Fate.FAIL else "dropped (--drop)"
        for number in range(batch.first, batch.first + len(batch.requests)):
            self._log(f"[#{number}] {what}")


def wrap(responder: Responder, options: ReplyOptions) -> Responder:
    """`responder` with the faults that the options ask for.

    Raises:
        InputError: a rate, a code, a duration or a range that is none.
    """
    shortest, longest = _parse_range(options.sleep) if options.sleep else (0.0, 0.0)
    rate, colon, code = (options.fail or "0").partition(":")
    faults = Faults(
        SystemRandom().getrandbits(64) if options.random_seed is None else options.random_seed,
        fail=_parse_rate(rate, "--fail"),
        code=_parse_code(code) if colon else 500,
        drop=_parse_rate(options.drop or "0", "--drop"),
        shortest=shortest,
        longest=longest,
    )
    return Faulty(responder, faults) if faults.fail or faults.drop or faults.longest else responder


def _parse_rate(text: str, where: str) -> float:
    """`0.2` or `20%`."""
    try:
        rate = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        rate = -1
    if not 0 <= rate <= 1:
        raise InputError(f"{text!r} is not a rate from 0 to 1, such as 0.2 or 20%", where=where)
    return rate


def _parse_code(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 3 or int(text) not in _CODES:
        raise InputError(f"{text!r} is not a code, such as 500 or 503", where="--fail")
    return int(text)


def _parse_range(text: str) -> tuple[float, float]:
    """`200ms` is from 0 to that, `50ms..200ms` is a range."""
    shortest, dots, longest = text.partition("..")
    try:
        bounds = (parse_duration(shortest), parse_duration(longest)) if dots else (0.0, parse_duration(text))
    except ValueError as error:
        raise InputError(str(error), where="--sleep") from None
    if bounds[0] > bounds[1]:
        raise InputError(f"the range {text!r} ends before it begins", where="--sleep")
    return bounds
