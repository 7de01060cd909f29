"""How `pynats reply` shows the requests it receives: plain lines, JSON lines, or drawn for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable

from natscli.environment import Environment
from natscli.message import headers
from natscli.output import json_lines
from natscli.output.pump import Rendered, same_target
from natscli.output.text import visible

Message = tuple[bytes, bytes, "bytes | None", bytes]
#: Requests of one network read and the number of the first; gives the story and the data to write.
RenderRequests = Callable[[list[Message], int], Rendered]


def renderer(environment: Environment, *, as_json: bool) -> RenderRequests:
    """The renderer that fits the streams and the flags."""
    terminal = environment.stdout.isatty()
    if as_json:
        return _json(ascii_only=terminal)
    if terminal or environment.color == "always":
        return _drawn(environment)
    return _plain(
        story=not environment.quiet,
        together=same_target(environment.stdout, environment.stderr),
        escape=environment.stderr.isatty(),
    )


def _clock() -> bytes:
    return time.strftime("%H:%M:%S ").encode()


def _plain(*, story: bool, together: bool, escape: bool) -> RenderRequests:
    """Byte-exact payloads on stdout, the story on stderr; one stream, in order, when both are the same file.

    `escape` keeps what the network sent from driving the terminal that shows the story.
    """

    def payloads(batch: list[Message], first: int) -> Rendered:  # noqa: ARG001
        return b"", b"".join([b"%b\n" % payload for _, _, _, payload in batch])

    def both(batch: list[Message], first: int) -> Rendered:
        now = _clock()
        return b"", b"".join(
            [
                b"%b[#%d] Received on [%b]\n%b\n\n" % (now, number, subject, payload)
                if reply and not header
                else b"%b%b\n\n" % (_story_lines(now, number, subject, reply, header), payload)
                for number, (subject, reply, header, payload) in enumerate(batch, first)
            ]
        )

    def apart(batch: list[Message], first: int) -> Rendered:
        now = _clock()
        lines = b"".join(
            [_story_lines(now, number, s, r, h) for number, (s, r, h, _) in enumerate(batch, first)]
        )
        if escape:
            lines = visible(lines.decode("utf-8", "backslashreplace")).encode()
        return lines, payloads(batch, first)[1]

    return payloads if not story else both if together else apart


def _story_lines(now: bytes, number: int, subject: bytes, reply: bytes, header: bytes | None) -> bytes:
    mark = b"" if reply else b" (no reply subject, not answered)"
    line = b"%b[#%d] Received on [%b]%b\n" % (now, number, subject, mark)
    if not header:
        return line
    shown = "".join(f"{name}: {value}\n" for name, value in headers.decode(header))
    return line + shown.encode("utf-8", "surrogateescape") + b"\n"


def _json(*, ascii_only: bool) -> RenderRequests:
    def render(batch: list[Message], first: int) -> Rendered:
        records = (json_lines.request_record(number, *message) for number, message in enumerate(batch, first))
        return b"", b"".join([json_lines.line(record, ascii_only=ascii_only) for record in records])

    return render


def _drawn(environment: Environment) -> RenderRequests:
    from natscli.output.terminal import Painter

    out = Painter(colored=environment.colored(environment.stdout))
    err = Painter(colored=environment.colored(environment.stderr))
    together = same_target(environment.stdout, environment.stderr)

    def render(batch: list[Message], first: int) -> Rendered:
        now, story, data = _clock().decode(), [], []
        for number, (subject, reply, header, payload) in enumerate(batch, first):
            if not environment.quiet:
                mark = "" if reply else " (no reply subject, not answered)"
                story.append(
                    err.paint((now, "dim"), (f"[#{number}] ", "bold"), ("Received on ", ""),
                              (f"[{subject.decode('utf-8', 'replace')}]", "green"), (mark, "yellow"))
                    + err.header_lines(header)
                )  # fmt: skip
            data.append(out.payload(payload) + ("\n" if together and not environment.quiet else ""))
        if together:
            pairs = zip(story, data, strict=True) if story else ((d,) for d in data)
            return b"", "".join(text for pair in pairs for text in pair).encode("utf-8", "backslashreplace")
        return tuple("".join(part).encode("utf-8", "backslashreplace") for part in (story, data))  # type: ignore[return-value]

    return render
