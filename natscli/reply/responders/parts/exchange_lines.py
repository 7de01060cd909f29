"""Exchanges as lines of JSON, in the form that recordings have: those of a batch and its replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat

from natscli.duration import timestamp
from natscli.message.exchange import Outcome
from natscli.message.message import Message
from natscli.message.records.writing import content, finished, text
from natscli.reply.responders.parts.several import EarlierReply
from natscli.reply.responders.responder import Batch


def lines(
    batch: Batch,
    replies: list[Message],
    ended: int,
    clock: int,
    subject_of: Callable[[bytes], bytes] = bytes,
    before: Mapping[int, Sequence[EarlierReply]] | None = None,
    outcome: Outcome | None = None,
) -> Iterator[bytes]:
    """A line for each request of `batch` and its reply; without replies, they were not answered.

    `ended` is when (nanoseconds of `perf_counter_ns`), `clock` what to add for nanoseconds since 1970. `subject_of`
    gives the subject of the service that answered; where that is another, the one that was asked is `via`. `before`
    are the replies that came before, by the number of the request; without any reply, `outcome` may say why.
    """
    came = timestamp((batch.arrived + clock) / 1e9)
    several = before or {}
    numbered = enumerate(zip(batch.requests, replies or repeat(None), strict=False), batch.first)
    for number, ((asked, _, header, payload), reply) in numbered:
        parts = [*several.get(number, ()), *([EarlierReply(reply, ended)] if reply is not None else [])]
        subject = subject_of(asked)
        via = "" if subject == asked else f'"via":{text(asked)},'
        took = (parts[-1].at if parts else ended) - batch.arrived
        yield finished(
            f'{{"time":"{came}","duration_ns":{took},"subject":{text(subject)},{via}'
            f'"request":{content(header, payload)},{_answers(parts, batch.arrived, outcome)}}}'
        )


def _answers(parts: Sequence[EarlierReply], arrived: int, outcome: Outcome | None) -> str:
    """The member for the replies; where there are several, each has its time."""
    if not parts:
        return '"reply":null' + (',"outcome":"no_responders"' if outcome is Outcome.NO_RESPONDERS else "")
    if len(parts) == 1:
        return f'"reply":{content(*parts[0].reply[2:])}'
    several = [f'{{"rtt_ns":{part.at - arrived},{content(*part.reply[2:])[1:]}' for part in parts]
    return f'"replies":[{",".join(several)}]'
