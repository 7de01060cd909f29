"""The lines that `--record` writes: an exchange each, from a batch and its replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat

from natscli.duration import timestamp
from natscli.message.message import Message
from natscli.message.records.writing import content, finished, text
from natscli.reply.responders.responder import Batch


def lines(
    batch: Batch,
    replies: list[Message],
    ended: int,
    clock: int,
    subject_of: Callable[[bytes], bytes] = bytes,
) -> Iterator[bytes]:
    """A line for each request of `batch` and its reply; without replies, they were not answered.

    `ended` is when (nanoseconds of `perf_counter_ns`), `clock` what to add for nanoseconds since 1970. `subject_of`
    gives the subject of the service that answered; where that is another, the one that was asked is `via`.
    """
    came = timestamp((batch.arrived + clock) / 1e9)
    start = f'{{"time":"{came}","duration_ns":{ended - batch.arrived},"subject":'
    for (asked, _, header, payload), reply in zip(batch.requests, replies or repeat(None), strict=False):
        answer = "null" if reply is None else content(reply[2], reply[3])
        subject = subject_of(asked)
        via = "" if subject == asked else f'"via":{text(asked)},'
        yield finished(f'{start}{text(subject)},{via}"request":{content(header, payload)},"reply":{answer}}}')
