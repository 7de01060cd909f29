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
    """A reply as it is shown: to which request, the how manyth, after how many nanoseconds, and what it holds."""

    subject: str
    request: int
    number: int
    rtt_ns: int
    header: bytes | None
    payload: bytes


RenderReply = Callable[[Reply], Rendered]


def renderer(environment: Environment, *, raw: bool, as_json: bool, single: bool) -> RenderReply:
    """The renderer that fits the streams and the flags; `single` when exactly one reply is awaited."""
    terminal = environment.stdout.isatty()
    if as_json:
        return lambda reply: (b"", json_lines.line(json_lines.reply_record(*reply), ascii_only=terminal))
    if terminal or environment.color == "always":
        return _drawn(environment, raw=raw, single=single)
    if raw:
        return (
            (lambda reply: (b"", reply.payload)) if single else (lambda reply: (b"", reply.payload + b"\n"))
        )
    return _plain(environment, single=single)


def _plain(environment: Environment, *, single: bool) -> RenderReply:
    def render(reply: Reply) -> Rendered:
        story = ""
        if not environment.quiet:
            number = "" if single else f"[#{reply.request}] "
            story = f"{time.strftime('%H:%M:%S')} {number}Received with rtt {format_duration(reply.rtt_ns / 1e9)}\n"
            for name, value in headers.decode(reply.header):
                story += f"{visible_line(name)}: {visible_line(value)}\n"
        payload = reply.payload
        return story.encode("utf-8", "backslashreplace"), payload if payload.endswith(
            b"\n"
        ) else payload + b"\n"

    return render


def _drawn(environment: Environment, *, raw: bool, single: bool) -> RenderReply:
    from natscli.output.terminal import Painter

    out = Painter(colored=environment.colored(environment.stdout))
    err = Painter(colored=environment.colored(environment.stderr))

    def render(reply: Reply) -> Rendered:
        story = ""
        if not environment.quiet and not raw:
            story = err.paint(
                (time.strftime("%H:%M:%S "), "dim"),
                ("" if single else f"[#{reply.request}] ", "bold"),
                ("Received with rtt ", ""),
                (format_duration(reply.rtt_ns / 1e9), "green"),
                ("" if reply.payload else " (empty payload)", "dim"),
            ) + err.header_lines(reply.header)
        data = out.payload(reply.payload, pretty=not raw) + ("\n" if story and not single else "")
        return story.encode("utf-8", "backslashreplace"), data.encode("utf-8", "backslashreplace")

    return render
