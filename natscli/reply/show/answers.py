"""What requests were answered with, as lines of the log (`pynats reply --verbose`)."""

from __future__ import annotations

from natscli.duration import format_duration
from natscli.environment import BOLD, DIM, GREEN, RED, YELLOW, Environment
from natscli.log_format import ERROR, INFO, WARNING, json_line
from natscli.message import headers
from natscli.message.message import Message
from natscli.output.pump import Rendered
from natscli.output.streams import same_target
from natscli.output.terminal import Painter
from natscli.reply.ended import Ending, RenderEnded, replies_to
from natscli.text import bytes_for_people, visible_line

#: The style and the level of each outcome.
_SHOWN = {
    "answered": (GREEN, INFO), "error": (RED, ERROR), "refused": (RED, ERROR), "unanswered": (YELLOW, INFO),
    "undelivered": (YELLOW, WARNING),
}  # fmt: skip


def renderer(environment: Environment) -> RenderEnded:
    """Renders how requests ended: when, with which error, and the replies as those of `pynats request` are shown.

    The replies are the log's: stdout has what was received.
    """
    err = environment.stderr
    together, drawn = same_target(environment.stdout, err), err.isatty()
    painter = Painter(colored=environment.colored(err))

    def line(number: int, ended: float, outcome: Ending, replies: int) -> str:
        style, _ = _SHOWN[outcome.name]
        when = painter.styled(environment.clock(ended), DIM)
        return (
            f"{when}{painter.styled(f'[#{number}] ', BOLD)}{painter.styled(_said(outcome, replies), style)}\n"
        )

    def content(reply: Message) -> bytes:
        _, _, block, payload = reply
        shown = painter.header_lines(block)
        text = bytes_for_people(f"{shown}\n" if shown else "")
        if drawn or environment.color == "always":
            return text + bytes_for_people(painter.payload(payload) or "(empty payload)\n") + b"\n"
        return text + payload + b"\n\n"

    def text(number: int, ended: float, outcome: Ending, replies: list[Message]) -> bytes:
        first = bytes_for_people(line(number, ended, outcome, len(replies)))
        return first + b"".join(map(content, replies))

    show = _json if environment.log_json else text

    def render(batch: list[Message], first: int, came: float, outcome: Ending) -> Rendered:
        ended = came + outcome.duration_ns / 1e9
        log = b"".join(
            [show(first + i, ended, outcome, [*replies_to(i, outcome)]) for i in range(len(batch))]
        )
        return (b"", log) if together else (log, b"")

    return render


def _said(outcome: Ending, replies: int) -> str:
    took = format_duration(float(f"{outcome.duration_ns / 1e9:.4g}"))
    if outcome.name == "unanswered":
        return "Not answered"
    if outcome.name == "undelivered":
        return "Not delivered: the server does not take the reply"
    said = f": {outcome.message}" if outcome.message else ""
    what = f"Answered with error {outcome.code}{said}" if outcome.code else "Answered"
    return f"{visible_line(what)} after {took}" + (f", {replies} replies" if replies > 1 else "")


def _json(number: int, ended: float, outcome: Ending, replies: list[Message]) -> bytes:
    """The line in a log of JSON."""
    return json_line(
        _SHOWN[outcome.name][1], _said(outcome, len(replies)), ended, request=number, outcome=outcome.name,
        duration_ns=outcome.duration_ns, code=outcome.code or None,
        replies=[_reply(block, payload) for _, _, block, payload in replies],
    )  # fmt: skip


def _reply(block: bytes | None, payload: bytes) -> dict[str, object]:
    from base64 import b64encode

    names = {"headers": headers.as_lists(block)}
    try:
        return names | {"data": payload.decode(), "encoding": "utf-8", "size": len(payload)}
    except UnicodeDecodeError:
        return names | {"data": b64encode(payload).decode(), "encoding": "base64", "size": len(payload)}
