"""How `pynats request` shows what happens: payloads as they are, JSON lines, or text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

from natscli.duration import format_duration
from natscli.environment import BOLD, CYAN, DIM, GREEN, Environment
from natscli.log_format import INFO, json_line
from natscli.message import headers
from natscli.output.pump import Rendered
from natscli.output.streams import same_target
from natscli.request.events import Event, Prerendered, Received, Sent
from natscli.request.show.style import Replies, RequestStyle
from natscli.secrets.redaction import redact_shapes
from natscli.text import bytes_for_people, exact, replaced, visible_line

if TYPE_CHECKING:
    from natscli.output.terminal import Painter


#: Renders what happened, in that order.
RenderEvents = Callable[[Sequence[Event]], Rendered]
_Log = Callable[[Received | Sent], bytes]
_Show = Callable[[Received], bytes]


def renderer(
    environment: Environment,
    style: RequestStyle,
    *,
    many_requests: bool,
    many_replies: bool,
    output: str = "",
) -> RenderEvents:
    """The renderer for `style` on these streams; where there are many requests or replies, they are told apart.

    `output` is the pattern for the names of files.
    """
    label = _Label(many_requests, many_replies)
    log = _log(label, environment) if style.log else None
    end = b"\n" if many_requests or many_replies else b""
    if style.replies is Replies.TABLE:
        return _ordered(_only_sent(log), _table(environment), _together(environment))
    if style.replies is Replies.FILES:
        from natscli.request.show.saving import saver

        show = saver(output, many_requests=many_requests, many_replies=many_replies)
    elif style.replies is Replies.JSON:
        from natscli.request.show.json import replies

        show = replies(ascii_only=environment.stdout.isatty())
    else:
        show = _payloads(environment, raw=style.replies is Replies.RAW, end=end, logged=style.log)
    return _ordered(log, show, _together(environment))


def _payloads(environment: Environment, *, raw: bool, end: bytes, logged: bool) -> _Show:
    terminal = environment.stdout.isatty()
    if raw and not terminal:
        return lambda reply: reply.payload + end
    # Payloads in a pipe are for programs: only --color always insists on colour in them.
    if not terminal and environment.color != "always":
        return _with_line_break
    from natscli.output.terminal import Painter

    painter = Painter(colored=environment.colored(environment.stdout))
    after = end.decode() if logged else ""
    return lambda reply: bytes_for_people(painter.payload(reply.payload, pretty=not raw) + after)


def _table(environment: Environment) -> _Show:
    from natscli.request.show.table import Table

    return Table(environment)


def _only_sent(log: _Log | None) -> _Log | None:
    return (lambda event: log(event) if isinstance(event, Sent) else b"") if log is not None else None


def _painter(stream: BinaryIO, environment: Environment) -> Painter | None:
    """What draws the log, on a terminal and in colour."""
    if not (stream.isatty() or environment.colored(stream)):
        return None
    from natscli.output.terminal import Painter

    return Painter(colored=environment.colored(stream))


def _together(environment: Environment) -> bool:
    return same_target(environment.stdout, environment.stderr)


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


def _log(label: _Label, environment: Environment) -> _Log:
    """The log's lines; on a terminal coloured, and with a note where there is no payload to be seen."""
    if environment.log_json:
        return _json_log
    painter = _painter(environment.stderr, environment)
    styled = painter.styled if painter else lambda text, style: text
    clock = environment.clock
    note = styled(" (empty payload)", DIM) if painter else ""

    def log(event: Sent | Received) -> bytes:
        if isinstance(event, Sent):
            when = styled(clock(event.at), DIM)
            text = f"{when}{label.of_request(event.request)}Sending request on [{_safe(event.subject)}]\n"
        else:
            number = styled(label.of_reply(event.request, event.number), BOLD)
            rtt = styled(format_duration(event.rtt_ns / 1e9), GREEN)
            when = styled(clock(event.came), DIM)
            text = f"{when}{number}Received with rtt {rtt}{'' if event.payload else note}\n"
            for name, value in (*_said(event), *headers.decode(event.header)):
                text += f"{styled(visible_line(name), CYAN)}: {visible_line(value)}\n"
            text += "\n" if text.count("\n") > 1 else ""
        return bytes_for_people(text)

    return log


def _json_log(event: Sent | Received) -> bytes:
    """A line of the log as JSON, with the members that the records of replies have."""
    subject = replaced(_safe(event.subject))
    if isinstance(event, Sent):
        what = f"Sending request on [{subject}]"
        return json_line(INFO, what, event.at, subject=subject, request=event.request)
    names = {"Subject": "message_subject", "Reply subject": "reply_to", "Status": "status"}
    more: dict[str, Any] = {names[name]: replaced(value) for name, value in _said(event)}
    return json_line(
        INFO, f"Received with rtt {format_duration(event.rtt_ns / 1e9)}", event.came, subject=subject,
        request=event.request, reply=event.number, rtt_ns=event.rtt_ns, size=len(event.payload),
        headers=headers.as_lists(event.header), **more,
    )  # fmt: skip


def _said(reply: Received) -> Iterator[tuple[str, str]]:
    """What is known of a reply beside its headers: the status line of a server, and the subject of a message."""
    if reply.header and headers.status(reply.header):
        from natscli.message.status import read_status

        yield "Status", str(read_status(reply.header) or headers.status(reply.header))
    if reply.message_subject:
        yield "Subject", exact(reply.message_subject)
        yield "Reply subject", exact(reply.reply_to)


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


@lru_cache(64)
def _safe(subject: str) -> str:
    """A subject of ours in the log: on one line, and without what looks like a secret."""
    return visible_line(redact_shapes(subject))


def _with_line_break(reply: Received) -> bytes:
    return reply.payload if reply.payload.endswith(b"\n") else reply.payload + b"\n"
