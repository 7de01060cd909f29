"""How `pynats subscribe` shows messages: payloads as they are, plain lines, JSON lines, or drawn for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import itemgetter

from natscli.environment import BOLD, DIM, GREEN, Environment
from natscli.log_format import INFO, json_line
from natscli.message import headers
from natscli.message.message import Message
from natscli.output.pump import Rendered
from natscli.output.streams import same_target
from natscli.text import bytes_for_people, exact_bytes, for_programs

#: Messages of one network read, the number of the first, when they came (seconds since 1970), and whether they are
#: the matched replies to the messages of these numbers; gives the log and the data to write.
RenderMessages = Callable[[list[Message], int, float, bool], Rendered]
#: The same for one message.
_Log = Callable[[str, int, Message, bool], bytes]
_Data = Callable[[str, Message], bytes]


@dataclass(frozen=True)
class MessageStyle:
    """What is shown of a message.

    `part` is "all", "headers" or "subject"; `clock` is "time", "timestamp" or "delta", the time since `start`
    (seconds since 1970). A `single` payload has no line break added; `end` is what ends a record of JSON.
    """

    raw: bool = False
    as_json: bool = False
    part: str = "all"
    clock: str = "time"
    start: float = 0.0
    single: bool = False
    end: str = "\n"


def renderer(environment: Environment, style: MessageStyle) -> RenderMessages:
    """The renderer that fits the streams and the flags."""
    out = environment.stdout
    terminal = out.isatty()
    if style.as_json:
        return _json(style, ascii_only=terminal)
    # Payloads in a pipe are for programs: only --color always insists on colour in them.
    draw = terminal or (environment.color == "always" and not style.raw)
    if style.raw and not draw:
        end = b"" if style.single else b"\n"
        return lambda batch, first, came, matched: (b"", end.join([*map(itemgetter(3), batch), b""]))
    data = (_drawn_data if draw else _plain_data)(environment, style)
    if style.raw or environment.quiet or style.part == "subject":
        return partial(_log_and_data, _clock(style, environment), None, data, None)
    log = _log(environment, style)
    # Headers end with an empty line already.
    gap = (b"" if style.part == "headers" else b"\n") if same_target(out, environment.stderr) else None
    return partial(_log_and_data, _clock(style, environment), log, data, gap)


def _log_and_data(
    clock: Callable[[float], str], log: _Log | None, data: _Data, gap: bytes | None,
    batch: list[Message], first: int, came: float, matched: bool,
) -> Rendered:  # fmt: skip
    """The log and the data; with a `gap`, which comes after each message, both in order for one file or terminal."""
    now = clock(came)
    shown = [data(now, message) for message in batch]
    if log is None:
        return b"", b"".join(shown)
    logged = [log(now, number, message, matched) for number, message in enumerate(batch, first)]
    if gap is None:
        return b"".join(logged), b"".join(shown)
    return b"", b"".join([part for pair in zip(logged, shown, strict=True) for part in (*pair, gap)])


def _clock(style: MessageStyle, environment: Environment) -> Callable[[float], str]:
    """Gives the time that stands before a message; nothing before a bare subject, unless it was asked for."""
    if style.clock == "timestamp":
        return lambda came: f"{datetime.fromtimestamp(came).astimezone().isoformat(timespec='microseconds')} "
    if style.clock == "delta":
        return lambda came: f"+{max(came - style.start, 0.0):.6f}s "
    if style.part == "subject":
        return lambda came: ""
    return environment.clock


def _title(message: Message, matched: bool) -> tuple[str, str, str]:
    """What was received on which subject, and where replies to it go, as text."""
    subject, reply, _, _ = message
    ending = f" with reply [{_text(reply)}]" if reply else ""
    return ("Matched reply on " if matched else "Received on "), f"[{_text(subject)}]", ending


def _log(environment: Environment, style: MessageStyle) -> _Log:
    if environment.log_json:
        return _json_log(style)
    err = environment.stderr
    return (_drawn_log if err.isatty() or environment.colored(err) else _plain_log)(environment, style)


def _json_log(style: MessageStyle) -> _Log:
    with_headers = style.part == "all"

    def log(now: str, number: int, message: Message, matched: bool) -> bytes:  # noqa: ARG001
        subject, reply, header, payload = message
        return json_line(
            INFO, "".join(_title(message, matched)), time.time(), subject=_text(subject), number=number,
            reply_to=_text(reply) or None, headers=headers.as_lists(header) if with_headers else None,
            size=len(payload),
        )  # fmt: skip

    return log


def _plain_log(environment: Environment, style: MessageStyle) -> _Log:  # noqa: ARG001
    with_headers = style.part == "all"

    def log(now: str, number: int, message: Message, matched: bool) -> bytes:
        line = f"{now}[#{number}] {''.join(_title(message, matched))}\n"
        lines = _header_lines(message[2]) if with_headers and message[2] else b""
        return exact_bytes(line) + lines

    return log


def _drawn_log(environment: Environment, style: MessageStyle) -> _Log:
    from natscli.output.terminal import Painter
    from natscli.text import visible_line

    painter = Painter(colored=environment.colored(environment.stderr))
    # Painted once and filled in for each message: painting takes longer than receiving.
    line = painter.paint(
        ("{now}", DIM), ("[#{number}] ", BOLD), ("{what}", ""), ("{subject}", GREEN), ("{end}", "")
    )
    with_headers = style.part == "all"

    def log(now: str, number: int, message: Message, matched: bool) -> bytes:
        what, subject, end = _title(message, matched)
        text = line.format(
            now=now, number=number, what=what, subject=visible_line(subject), end=visible_line(end)
        )
        if with_headers and message[2]:
            text += painter.header_lines(message[2]) + "\n"
        return bytes_for_people(text)

    return log


def _plain_data(environment: Environment, style: MessageStyle) -> _Data:  # noqa: ARG001
    if style.part == "subject":
        return lambda now, message: b"%b%b\n" % (now.encode(), message[0])
    if style.part == "headers":
        return lambda now, message: _header_lines(message[2]) if message[2] else b""
    if style.single:
        return lambda now, message: message[3]
    return lambda now, message: b"%b\n" % message[3]


def _drawn_data(environment: Environment, style: MessageStyle) -> _Data:
    from natscli.output.terminal import Painter
    from natscli.text import visible_line

    painter = Painter(colored=environment.colored(environment.stdout))

    def data(now: str, message: Message) -> bytes:
        if style.part == "subject":
            text = f"{now}{visible_line(_text(message[0]))}\n"
        elif style.part == "headers":
            text = f"{painter.header_lines(message[2])}\n" if message[2] else ""
        else:
            text = painter.payload(message[3], pretty=not style.raw)
        return bytes_for_people(text)

    return data


def _header_lines(block: bytes) -> bytes:
    """`Name: value` lines and the empty line after them, byte for byte; the status of one that a server made first."""
    first, _, lines = block.partition(b"\r\n")
    status = first[len(headers.LINE) :].strip()
    return (b"Status: %b\n" % status if status else b"") + lines.replace(b"\r\n", b"\n")


def _json(style: MessageStyle, *, ascii_only: bool) -> RenderMessages:
    """One object a message, with the names that the records of `pynats reply` have."""
    from natscli.duration import timestamp
    from natscli.output.json_lines import Encoder

    encoder = Encoder(ascii_only=ascii_only)

    def body(header: bytes | None, payload: bytes) -> str:
        if style.part == "all":
            return encoder.message(header, payload)
        pairs = encoder.headers(header) + encoder.status(header) if header else "{}"
        return f'"headers": {pairs}, "size": {len(payload)}'

    def render(batch: list[Message], first: int, came: float, matched: bool) -> Rendered:
        time, mark = timestamp(came), ', "matched": true' if matched else ""
        lines = []
        for number, (subject, reply, header, payload) in enumerate(batch, first):
            reply_to = encoder.decoded(reply) if reply else "null"
            lines.append(
                f'{{"time": "{time}", "subject": {encoder.decoded(subject)}, "number": {number}{mark}, '
                f'"reply_to": {reply_to}, {body(header, payload)}}}{style.end}'
            )
        return b"", "".join(lines).encode()

    return render


def _text(data: bytes) -> str:
    return for_programs(data)
