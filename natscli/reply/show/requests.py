"""How `pynats reply` shows the requests it receives: plain lines, JSON lines, or drawn for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain

from natscli.environment import BOLD, DIM, GREEN, YELLOW, Environment
from natscli.log_format import INFO, json_line
from natscli.message import headers
from natscli.message.message import Message, payload_of
from natscli.output.pump import Rendered
from natscli.output.streams import same_target
from natscli.reply.ended import Ending, RenderEnded, Renderers, RenderRequests, replies_to
from natscli.text import bytes_for_people, for_people, for_programs

#: Values of a JSON payload that are parsed for a record, at most; more would hold up other requests.
_MOST_PARTS = 20_000
_UNANSWERED = " (no reply subject, not answered)"


def renderers(environment: Environment, *, as_json: bool, verbose: bool = False) -> Renderers:
    """What fits the streams and the flags."""
    if as_json:
        return Renderers(ended=_json(ascii_only=environment.stdout.isatty()))
    return Renderers(received=_text_renderer(environment), ended=_answers(environment) if verbose else None)


def _answers(environment: Environment) -> RenderEnded:
    from natscli.reply.show.answers import renderer

    return renderer(environment)


def _text_renderer(environment: Environment) -> RenderRequests:
    out, err = environment.stdout, environment.stderr
    together = same_target(out, err)
    draw_out, draw_err = (stream.isatty() or environment.colored(stream) for stream in (out, err))
    if draw_out or ((draw_err or environment.log_json) and not environment.quiet):
        return _drawn(environment, draw_out, draw_err, together)
    if environment.quiet:
        return _data
    return partial(_together if together else _apart, environment.clock)


def data_renderers(environment: Environment, *, as_json: bool) -> Renderers:
    """What fits stdout alone, where that is a file or a pipe; on a terminal, nothing."""
    if environment.stdout.isatty():
        return Renderers()
    return renderers(environment, as_json=True) if as_json else Renderers(received=_data)


def log_renderers(environment: Environment, *, verbose: bool = False) -> Renderers:
    """What fits stderr alone, where stdout is for something else."""
    draw_err = environment.stderr.isatty() or environment.colored(environment.stderr)
    shown = _drawn(environment, draw_out=False, draw_err=draw_err, together=False)

    def render(batch: list[Message], first: int, came: float) -> Rendered:
        return shown(batch, first, came)[0], b""

    if environment.quiet:
        return Renderers()
    return Renderers(received=render, ended=_answers(environment) if verbose else None)


_Clock = Callable[[float], str]


def _data(batch: list[Message], first: int, came: float) -> Rendered:  # noqa: ARG001
    return b"", _payloads(batch)


def _payloads(batch: list[Message]) -> bytes:
    return b"\n".join([*map(payload_of, batch), b""])


def _together(clock: _Clock, batch: list[Message], first: int, came: float) -> Rendered:
    """The log and byte-exact payloads for one file, in order."""
    now = clock(came).encode()
    subjects, replies, blocks, payloads = zip(*batch, strict=True)
    if all(replies) and not any(blocks):  # what a busy responder gets: C code can fill it in
        return b"", _filled(b"%b[#%%d] Received on [%%b]\n%%b\n\n" % now, first, subjects, payloads)
    return b"", b"".join(
        [
            b"%b%b\n\n" % (_log_lines(now, number, subject, reply, header), payload)
            for number, (subject, reply, header, payload) in enumerate(batch, first)
        ]
    )


def _apart(clock: _Clock, batch: list[Message], first: int, came: float) -> Rendered:
    """The log for stderr, byte-exact payloads for stdout."""
    now = clock(came).encode()
    subjects, replies, blocks, _ = zip(*batch, strict=True)
    if all(replies) and not any(blocks):
        return _filled(b"%b[#%%d] Received on [%%b]\n" % now, first, subjects), _payloads(batch)
    log = b"".join(
        [
            _log_lines(now, number, subject, reply, header)
            for number, (subject, reply, header, _) in enumerate(batch, first)
        ]
    )
    return log, _payloads(batch)


def _filled(line: bytes, first: int, *columns: tuple[bytes, ...]) -> bytes:
    """`line` for each, filled in with its number, from `first` on, and what it has in the `columns`."""
    length = len(columns[0])
    rows = zip(range(first, first + length), *columns, strict=True)
    return (line * length) % tuple(chain.from_iterable(rows))


def _json_log(number: int, message: Message, came: float) -> bytes:
    """The line of a request in a log of JSON."""
    subject, reply, header, payload = message
    shown = for_programs(subject)
    return json_line(
        INFO, f"Received on [{shown}]{'' if reply else _UNANSWERED}", came, subject=shown, request=number,
        reply_to=for_programs(reply) or None, size=len(payload), headers=headers.as_lists(header),
    )  # fmt: skip


def _log_lines(now: bytes, number: int, subject: bytes, reply: bytes, header: bytes | None) -> bytes:
    mark = b"" if reply else _UNANSWERED.encode()
    # A header block is the lines to show, and the empty line after them, but for its first line.
    lines = header[len(headers.LINE) + 2 :].replace(b"\r\n", b"\n") if header else b""
    return b"%b[#%d] Received on [%b]%b\n%b" % (now, number, subject, mark, lines)


def _json(*, ascii_only: bool) -> RenderEnded:
    """One object a line, with the names that the records of `pynats request` have."""
    from natscli.duration import timestamp
    from natscli.output.json_lines import Encoder

    encoder = Encoder(ascii_only=ascii_only, most_parts=_MOST_PARTS)
    text, message = encoder.text, encoder.message

    def render(batch: list[Message], first: int, came: float, outcome: Ending) -> Rendered:
        time, begin, lines = timestamp(came), "", []
        last: bytes | None = None
        ended = f'"outcome": "{outcome.name}", "duration_ns": {outcome.duration_ns}'
        if outcome.code:
            ended += f', "code": {outcome.code}, "message": {text(outcome.message)}'
        for number, (subject, reply, header, payload) in enumerate(batch, first):
            if subject != last:
                last = subject
                begin = f'{{"time": "{time}", "subject": {encoder.decoded(subject)}, "request": '
            reply_to = text(for_programs(reply)) if reply else "null"
            sent = ", ".join(
                [f"{{{message(block, data)}}}" for _, _, block, data in replies_to(number - first, outcome)]
            )
            request = message(header, payload)
            lines.append(
                f'{begin}{number}, "reply_to": {reply_to}, {ended}, {request}, "replies": [{sent}]}}\n'
            )
        return b"", "".join(lines).encode()

    return render


def _drawn(environment: Environment, draw_out: bool, draw_err: bool, together: bool) -> RenderRequests:
    """For a terminal on either side: nothing from the network drives it. The other side gets what a file gets."""
    from natscli.output.terminal import Painter
    from natscli.text import visible_line

    out = Painter(colored=environment.colored(environment.stdout))
    err = Painter(colored=environment.colored(environment.stderr))
    # Painted once and filled in for each request, which takes a fraction of the time.
    parts = [("{now}", DIM), ("[#{number}] ", BOLD), ("Received on ", ""), ("[{subject}]", GREEN)]
    answered, unanswered = err.paint(*parts), err.paint(*parts, (_UNANSWERED, YELLOW))

    def log(came: float, number: int, message: Message) -> bytes:
        if environment.log_json:
            return _json_log(number, message, came)
        now, (subject, reply, header, _) = environment.clock(came).encode(), message
        if not draw_err:
            return _log_lines(now, number, subject, reply, header)
        shown = visible_line(for_people(subject))
        text = (answered if reply else unanswered).format(now=now.decode(), number=number, subject=shown)
        if header:
            text += err.header_lines(header) + "\n"
        return bytes_for_people(text)

    def data(payload: bytes) -> bytes:
        return bytes_for_people(out.payload(payload)) if draw_out else payload + b"\n"

    def render(batch: list[Message], first: int, came: float) -> Rendered:
        shown = [data(payload) for _, _, _, payload in batch]
        if environment.quiet:
            return b"", b"".join(shown)
        logged = [log(came, number, message) for number, message in enumerate(batch, first)]
        if together:
            return b"", b"".join(
                [part for pair in zip(logged, shown, strict=True) for part in (*pair, b"\n")]
            )
        return b"".join(logged), b"".join(shown)

    return render
