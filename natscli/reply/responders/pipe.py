"""Answers requests with a program that goes on running: a line of JSON for each request, and one for each answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, repeat
from time import perf_counter_ns
from typing import Any

from natscli.alarm import Alarm
from natscli.backoff import Backoff
from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import PynatsError, reason
from natscli.message.header_lines import header_block, header_lines
from natscli.message.message import Message
from natscli.message.records.content import RecordProblem
from natscli.message.templates import Facts, Template
from natscli.programs.kept import MOST_SHOWN, Child
from natscli.programs.words import compile_command, find
from natscli.reply.options import ReplyOptions, header_templates
from natscli.reply.responders.parts.answers import parse_answer
from natscli.reply.responders.parts.finished import Finished, Job
from natscli.reply.responders.parts.limited_log import LimitedLog
from natscli.reply.responders.parts.outstanding import Outstanding
from natscli.reply.responders.parts.pipe_lines import (
    NoAnswerError,
    answer_object,
    id_of,
    plain_payload,
    request_line,
)
from natscli.reply.responders.parts.presence import GONE, REFUSED, STOPPING, room
from natscli.reply.responders.parts.unfinished import Unfinished
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder, fail
from natscli.text import for_people

#: Seconds before a program that ended is started again: at first, and at most. Doubled while it answers nothing.
_RESTART = Backoff(0.1, 10.0)
#: Characters of lines that go to the program in one write; it gets more once it has room.
_MOST_WRITTEN = 256 * 1024
#: Bytes of a line: each byte of a payload may be six, `\u0000`; and headers.
_LINE_FACTOR, _LINE_EXTRA = 6, 64 * 1024
#: Characters of a line that the log shows.
_EXCERPT = 100


class Pipe(Responder):
    """Runs the program `argv`, again when it ends. Requests have `timeout` seconds.

    `concurrency` requests at once are given to it, 0 for any number; the others wait.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], lines: Template, timeout: float, concurrency: int = 0
    ) -> None:  # fmt: skip
        self._argv = argv
        self._environ = environ
        self._own_lines = lines
        self._timeout = timeout
        self._outstanding = Outstanding(count(), concurrency)
        self._child: Child | None = None
        self._stopping = self._draining = False
        #: Ends without an answer in a row, and the requests that were refused since the last.
        self._failures = self._refused = 0

    async def start(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._finished = Finished()
        self._unfinished = Unfinished(host.connection.client, lambda number: self._stop([number], GONE))
        self._alarm = Alarm(self._time_out)
        environment, name = host.environment, os.path.basename(self._argv[0])
        self._log = LimitedLog(lambda line: environment.log(f"[{name}] {line}"), "more lines of stderr")
        self._strange = LimitedLog(environment.warn, "more lines of the program that are no answers")
        try:
            await self._run()
        except OSError as error:
            raise PynatsError(_not_started(error)) from None

    def respond(self, batch: Batch, done: Done) -> None:
        if self._is_down:
            self._refused += len(batch.requests)
            fail(batch, done, Failure(502, "the program does not run", notice=""))
            return
        now = self._loop.time()
        jobs = map(Job, batch.requests, count(batch.first), repeat(batch.arrived), repeat(done))
        self._outstanding.add(jobs, now, self._timeout)
        self._alarm.set(now + self._timeout)
        self._send()

    def drain(self) -> None:
        self._draining = True
        self._stop(self._unfinished.numbers, STOPPING)

    def refused(self, text: str) -> bool:
        known, ended = self._unfinished.refused(text)
        self._stop(ended, REFUSED)
        return known

    async def finish(self) -> None:
        self._stopping = True
        if self._child is not None:
            await self._child.finish()

    def kill(self) -> None:
        self._stopping = True
        if self._child is not None:
            self._child.kill()
        if hasattr(self, "_log"):
            self._log.flush()
            self._strange.flush()

    # -- to the program --------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Give the program what waits, as much as it takes and may have at once."""
        child, give = self._child, self._outstanding.give
        while child is not None and child.has_room:
            lines: list[str] = []
            size = 0
            while size < _MOST_WRITTEN and (given := give()):
                number, job = given
                line = request_line(number, job.request)
                lines.append(line)
                size += len(line)
            if not lines:
                return
            child.write("".join(lines).encode())

    def _time_out(self) -> None:
        """Answer for the program what it has not answered in time."""
        late = [job for _, job in self._outstanding.expire(self._loop.time())]
        self._alarm.set(self._outstanding.next_end)
        if late:
            text = f"no answer within {format_duration(self._timeout)}"
            more = f" and {len(late) - 1} more" if len(late) > 1 else ""
            self._host.environment.warn(f"[#{late[0].number}]{more}: {text}")
            self._fail(late, Failure(504, text, notice=""))
            self._stop([n for n in self._unfinished.numbers if n not in self._outstanding], STOPPING)
            self._send()

    def _fail(self, jobs: Iterable[Job], failure: Failure) -> None:
        for job in jobs:
            self._finished.add(job, failure.reply(job.request), failure)
        self._finished.flush()

    def _stop(self, numbers: list[int], why: Failure) -> None:
        """End requests that get several answers, and tell the program so; and the requesters, unless they are gone."""
        lines = self._unfinished.stop(numbers)
        if lines and self._child is not None:
            self._child.write(lines)
        for job in filter(None, map(self._outstanding.end, numbers)):
            if why in (GONE, REFUSED):
                job.done(Batch([job.request], job.number, job.arrived), [], GONE if why is GONE else None)
            else:
                self._fail([job], why)

    # -- from the program ------------------------------------------------------------------------------------

    def _on_output(self, lines: list[bytes]) -> None:
        most = self._most
        for line in lines:
            if len(line) > most:
                self._too_long(line)
                continue
            try:
                number, value = answer_object(line)
            except NoAnswerError as error:
                if line.strip():
                    self._strange.add(lambda line=line, error=error: _no_answer(line, error))  # type: ignore[misc]
                continue
            more = value.pop("more", False) is True
            if self._unfinished.was_stopped(number, more=more):
                continue
            job = self._take(number, more)
            if job is None:
                continue
            self._answer(number, job, value, more)
            if more and self._draining:
                self._stop([number], STOPPING)
        self._finished.flush()
        self._send()
        if self._unfinished.numbers and self._child is not None:
            self._holding = self._loop.create_task(self._hold(self._child))

    async def _hold(self, child: Child) -> None:
        """Read no more from the program until the connection takes more: it may answer without end."""
        child.pause_output()
        try:
            await room(self._host.connection.client)
        finally:
            child.resume_output()

    def _take(self, number: int, more: bool) -> Job | None:
        """The request with this id, if the program has still to answer it; with `more`, it has again."""
        if more:
            job = self._outstanding.extend(number, self._loop.time(), self._timeout)
        else:
            job = self._outstanding.end(number)
            self._unfinished.end(number)
        if job is not None:
            self._failures = 0
        else:
            self._strange.add(
                lambda: f"an answer to no request that waits for one, late or the second: id {number}"
            )
        return job

    def _answer(self, number: int, job: Job, value: dict[str, Any], more: bool) -> None:
        to = self._unfinished.look(number, job) if more else b""
        payload = plain_payload(value)
        if payload is not None:
            self._reply(number, job, (job.request[1], to, self._block(job, b""), payload), None, more)
            return
        try:
            answer = parse_answer(value, (), templates=False)
        except RecordProblem as problem:
            self._outstanding.end(number)  # with `more`, it is given away still
            self._unfinished.end(number)
            self._wrong(job, ": ".join(filter(None, (".".join(map(str, problem.path)), str(problem)))))
            return
        block = answer.block.format or None if answer.failure else self._block(job, answer.block.format)
        reply = job.request[1], to, block, answer.payload.format
        if answer.delay:
            left = self._timeout - (perf_counter_ns() - job.arrived) / 1e9
            delay = answer.delay if more else min(answer.delay, left)
            self._loop.call_later(delay, self._reply, number, job, reply, answer.failure, more)
        else:
            self._reply(number, job, reply, answer.failure, more)

    def _reply(self, number: int, job: Job, reply: Message, failure: Failure | None, more: bool) -> None:
        """Send a reply; with `more`, the request is not done yet."""
        if not more:
            self._finished.add(job, reply, failure)
        elif number in self._outstanding:
            job.done(Batch([job.request], job.number, job.arrived), [reply], None, more=True)

    def _block(self, job: Job, block: bytes) -> bytes | None:
        """The header block of the program, and the headers that all replies have."""
        lines, (subject, _, _, payload) = self._own_lines, job.request
        own = lines.format if lines.is_static else lines.fill(Facts(job.number, subject, payload))
        if not own or not block:
            return header_block(own) if own else block or None
        first, end, rest = block.partition(b"\r\n")
        return first + end + own + rest

    def _too_long(self, line: bytes) -> None:
        number, what = id_of(line), f"longer than {self._most} bytes"
        job = None if number is None else self._outstanding.end(number)
        if job is not None:
            assert number is not None
            self._unfinished.end(number)
            self._wrong(job, what)
        else:
            self._strange.add(lambda: _no_answer(line, NoAnswerError(what)))

    def _wrong(self, job: Job, why: str) -> None:
        notice = f"the answer of the program is wrong: {_excerpt(why)}"
        self._fail([job], Failure(502, "the answer of the program is wrong", notice))

    # -- its runs --------------------------------------------------------------------------------------------

    @property
    def _is_down(self) -> bool:
        """Whether it ends again and again: what waited for the next start would wait for long."""
        return self._child is None and self._failures > 1

    async def _run(self) -> None:
        """Start it. Raises OSError."""
        self._most = _LINE_FACTOR * self._host.max_payload + _LINE_EXTRA
        child = Child(self._most, self._on_output, self._on_log, self._send, self._on_end)
        self._child = child
        try:
            await child.start(self._argv, self._environ)
        except BaseException:
            self._child = None
            raise
        self._send()

    def _on_log(self, lines: list[bytes]) -> None:
        for line in lines:
            self._log.add(lambda line=line: _text(line))  # type: ignore[misc]

    def _on_end(self, status: int) -> None:
        self._child = None
        if not self._stopping:
            how = f"exit status {status}" if status >= 0 else f"killed by signal {-status}"
            self._start_later(f"the program ended: {how}", f"the program ended before it answered: {how}")

    def _start_later(self, notice: str, text: str) -> None:
        """Answer with `text` what it had been given, and all that waits if it ends again and again."""
        self._failures += 1
        pause = _RESTART.pause(self._failures)
        lost = self._outstanding.clear() if self._is_down else self._outstanding.lose()
        self._unfinished.clear()
        count, self._refused = len(lost) + self._refused, 0
        lines = [
            notice,
            f"requests answered with 502: {count}" if count else "",
            f"starting it again in {format_duration(pause)}",
        ]
        self._host.environment.warn("; ".join(filter(None, lines)))
        self._fail(lost, Failure(502, text, notice=""))
        self._loop.call_later(pause, self._start_again)

    def _start_again(self) -> None:
        if not self._stopping:
            self._starting = self._loop.create_task(self._try_again())

    async def _try_again(self) -> None:
        try:
            await self._run()
        except OSError as error:
            self._start_later(_not_started(error), "the program cannot be started")


def _not_started(error: OSError) -> str:
    return f"cannot start the program: {reason(error)}"


def _no_answer(line: bytes, error: Exception) -> str:
    return f"a line of the program is no answer ({_excerpt(str(error))}): {_excerpt(_text(line[: 4 * _EXCERPT]))}"


def _text(line: bytes) -> str:
    text = for_people(line[:MOST_SHOWN]).rstrip("\r")
    return text if len(line) <= MOST_SHOWN else f"{text}..."


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}..."


def build(options: ReplyOptions, environment: Environment) -> Pipe:
    """Answer with the program of --pipe.

    Raises:
        InputError: quotes that do not close, words for a shell, or no such program.
    """
    words = [
        os.fsdecode(word.format) for word in compile_command(options.pipe or "", "--pipe", enabled=False)
    ]
    program = find(words[0], environment.environ.get("PATH"), "--pipe")
    return Pipe(
        [program, *words[1:]], environment.environ, header_lines(header_templates(options)),
        options.command_timeout, options.concurrency or 0,
    )  # fmt: skip
