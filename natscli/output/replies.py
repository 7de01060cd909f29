"""How `pynats request` shows the replies: payloads as they are, JSON lines, or drawn for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.message import headers
from natscli.output import json_lines
from natscli.output.pump import Rendered
from natscli.output.text import visible_line


class Reply(NamedTuple):
    """A reply as it is shown: to which request, the how manyth, after how many nanoseconds, and what it holds.

    `came` is when (seconds since 1970), as it may have to wait before it is shown.
    """

    subject: str
    request: int
    number: int
    rtt_ns: int
    header: bytes | None
    payload: bytes
    came: float


RenderReply = Callable[[Reply], Rendered]
#: Which of the requests and replies a line is about: `[#2 reply 3] `, or an empty string.
Label = Callable[[Reply], str]


def renderer(
    environment: Environment, *, raw: bool, as_json: bool, many_requests: bool, many_replies: bool
) -> RenderReply:
    """The renderer that fits the streams and the flags, and whether many are to be told apart."""
    terminal = environment.stdout.isatty()
    end = b"\n" if many_requests or many_replies else b""
    if as_json:
        return lambda reply: (b"", json_lines.line(json_lines.reply_record(*reply[:-1]), ascii_only=terminal))
    if raw and not terminal:
        return lambda reply: (b"", reply.payload + end)

    def label(reply: Reply) -> str:
        parts = [f"#{reply.request}"] if many_requests else []
        parts += [f"reply {reply.number}"] if many_replies else []
        return f"[{' '.join(parts)}] " if parts else ""

    log = not (raw or environment.quiet)
    # Payloads in a pipe are for programs: only --color always insists on colour in them.
    out = terminal or environment.color == "always"
    err = environment.stderr.isatty() or environment.colored(environment.stderr)
    if out or (err and log):
        return _drawn(environment, label if log else None, plain=not out, pretty=not raw, end=end.decode())
    return _plain(label if log else None)


def _plain(label: Label | None) -> RenderReply:
    """Payloads as they are, each with a line break at its end; without a `label`, no log."""

    def render(reply: Reply) -> Rendered:
        log = ""
        if label is not None:
            log = f"{_clock(reply)}{label(reply)}Received with rtt {_rtt(reply)}\n"
            pairs = headers.decode(reply.header)
            log += "".join(f"{visible_line(name)}: {visible_line(value)}\n" for name, value in pairs)
            log += "\n" if pairs else ""
        return log.encode("utf-8", "backslashreplace"), _with_line_break(reply.payload)

    return render


def _drawn(
    environment: Environment, label: Label | None, *, plain: bool, pretty: bool, end: str
) -> RenderReply:
    """As `_plain`, drawn; `plain` leaves the payloads as they are, when only the log goes to a terminal."""
    from natscli.output.terminal import Painter

    out = Painter(colored=environment.colored(environment.stdout))
    err = Painter(colored=environment.colored(environment.stderr))

    def render(reply: Reply) -> Rendered:
        log = ""
        if label is not None:
            log = err.paint(
                (_clock(reply), "dim"),
                (label(reply), "bold"),
                ("Received with rtt ", ""),
                (_rtt(reply), "green"),
                ("" if reply.payload else " (empty payload)", "dim"),
            )
            header = err.header_lines(reply.header)
            log += f"{header}\n" if header else ""
        if plain:
            return log.encode("utf-8", "backslashreplace"), _with_line_break(reply.payload)
        data = out.payload(reply.payload, pretty=pretty) + (end if log else "")
        return log.encode("utf-8", "backslashreplace"), data.encode("utf-8", "backslashreplace")

    return render


def _with_line_break(payload: bytes) -> bytes:
    return payload if payload.endswith(b"\n") else payload + b"\n"


def _clock(reply: Reply) -> str:
    return time.strftime("%H:%M:%S ", time.localtime(reply.came))


def _rtt(reply: Reply) -> str:
    return format_duration(reply.rtt_ns / 1e9)
