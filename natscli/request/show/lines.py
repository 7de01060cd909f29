"""How `pynats request` shows what happens: payloads as they are, JSON lines, or text for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from natscli.duration import format_duration
from natscli.environment import BOLD, CYAN, DIM, GREEN, Environment
from natscli.message import headers
from natscli.output.pump import Rendered
from natscli.output.streams import same_target
from natscli.request.events import Event, Prerendered, Received, Sent
from natscli.secrets.redaction import redact_shapes
from natscli.text import bytes_for_people, visible_line

if TYPE_CHECKING:
    from natscli.output.terminal import Painter


#: Renders what happened, in that order.
RenderEvents = Callable[[Sequence[Event]], Rendered]
_Log = Callable[[Received | Sent], bytes]
_Show = Callable[[Received], bytes]


def renderer(
    environment: Environment, *, raw: bool, as_json: bool, many_requests: bool, many_replies: bool
) -> RenderEvents:
    """The renderer that fits the streams and the flags, and whether many must be distinguished."""
    terminal = environment.stdout.isatty()
    end = b"\n" if many_requests or many_replies else b""
    together = same_target(environment.stdout, environment.stderr)
    if as_json:
        from natscli.request.show.json import replies

        return _ordered(None, replies(ascii_only=terminal), together)
    if raw and not terminal:
        return _ordered(None, lambda reply: reply.payload + end, together)
    logged = not (raw or environment.quiet)
    # Payloads in a pipe are for programs: only --color always insists on colour in them.
    out = terminal or environment.color == "always"
    err = environment.stderr.isatty() or environment.colored(environment.stderr)
    label = _Label(many_requests, many_replies)
    if not out and not (err and logged):
        return _ordered(_log(label) if logged else None, _with_line_break, together)
    from natscli.output.terminal import Painter

    log = _log(label, Painter(colored=environment.colored(environment.stderr))) if logged else None
    if not out:
        return _ordered(log, _with_line_break, together)
    painter = Painter(colored=environment.colored(environment.stdout))
    after = end.decode() if logged else ""

    def shown(reply: Received) -> bytes:
        return bytes_for_people(painter.payload(reply.payload, pretty=not raw) + after)

    return _ordered(log, shown, together)


def saving(environment: Environment, save: _Show, *, many_requests: bool, many_replies: bool) -> RenderEvents:
    """Only the log is shown; `save` gets each reply, and gives what is left of it for stdout."""
    painter = None
    if environment.colored(environment.stderr) and not environment.quiet:
        from natscli.output.terminal import Painter

        painter = Painter(colored=True)
    log = None if environment.quiet else _log(_Label(many_requests, many_replies), painter)
    return _ordered(log, save, same_target(environment.stdout, environment.stderr))


def gathering(environment: Environment) -> RenderEvents:
    """For a terminal: a line of a table for each reply to one request."""
    from natscli.output.terminal import Painter
    from natscli.request.show.table import Table

    log = _log(_Label(False, True), Painter(colored=environment.colored(environment.stderr)))
    together = same_target(environment.stdout, environment.stderr)
    return _ordered(
        lambda event: log(event) if isinstance(event, Sent) else b"", Table(environment), together
    )


def _ordered(log: _Log | None, show: _Show, together: bool) -> RenderEvents:
    """Render one event after the other; into one stream where log and data go to the same, so that order is kept."""

    def render(events: Sequence[Event]) -> Rendered:
        logged: list[bytes] = []
        shown = logged if together else []
        for event in events:
            if isinstance(event, Prerendered):
                logged.append(event.log)
                shown.append(event.data)
                continue
            if log is not None:
                logged.append(log(event))
            if isinstance(event, Received):
                shown.append(show(event))
        return (b"", b"".join(shown)) if together else (b"".join(logged), b"".join(shown))

    return render


def _log(label: _Label, painter: Painter | None = None) -> _Log:
    """The log's lines; with a painter coloured, and with a note where there is no payload to be seen."""
    styled = painter.styled if painter else lambda text, style: text
    clock = _Clock(styled)
    note = styled(" (empty payload)", DIM) if painter else ""

    def log(event: Sent | Received) -> bytes:
        if isinstance(event, Sent):
            text = f"{clock(event.at)}{label.of_request(event.request)}Sending request on [{_safe(event.subject)}]\n"
        else:
            number = styled(label.of_reply(event.request, event.number), BOLD)
            rtt = styled(format_duration(event.rtt_ns / 1e9), GREEN)
            text = f"{clock(event.came)}{number}Received with rtt {rtt}{'' if event.payload else note}\n"
            for name, value in headers.decode(event.header):
                text += f"{styled(visible_line(name), CYAN)}: {visible_line(value)}\n"
            text += "\n" if text.count("\n") > 1 else ""
        return bytes_for_people(text)

    return log


class _Label:
    """Which of the requests and replies a line is about, where there are several: `[#2 reply 3] `."""

    def __init__(self, many_requests: bool, many_replies: bool) -> None:
        self._requests = many_requests
        self._replies = many_replies

    def of_request(self, request: int) -> str:
        return f"[#{request}] " if self._requests else ""

    def of_reply(self, request: int, reply: int) -> str:
        if not self._replies:
            return self.of_request(request)
        return f"[#{request} reply {reply}] " if self._requests else f"[reply {reply}] "


class _Clock:
    """The time of day, made once a second."""

    def __init__(self, styled: Callable[[str, str], str]) -> None:
        self._styled = styled
        self._second = -1
        self._shown = ""

    def __call__(self, at: float) -> str:
        second = int(at)
        if second != self._second:
            self._second = second
            self._shown = self._styled(time.strftime("%H:%M:%S ", time.localtime(second)), DIM)
        return self._shown


@lru_cache(64)
def _safe(subject: str) -> str:
    """A subject of ours in the log: on one line, and without what looks like a secret."""
    return visible_line(redact_shapes(subject))


def _with_line_break(reply: Received) -> bytes:
    return reply.payload if reply.payload.endswith(b"\n") else reply.payload + b"\n"
