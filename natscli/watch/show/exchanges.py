"""How `pynats watch` shows exchanges: a line each, in full, or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from natscli.duration import format_duration, timestamp
from natscli.environment import BOLD, DIM, GREEN, RED, YELLOW, Environment
from natscli.log_format import clock
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.status import read_acknowledgement, read_problem, read_status, responder
from natscli.output.columns import shortened, width_of
from natscli.output.json_lines import Encoder
from natscli.output.pump import Rendered
from natscli.output.terminal import Painter
from natscli.system.terminal import is_file, terminal_size
from natscli.text import bytes_for_people, exact, for_people, replaced, visible_line

#: Renders exchanges that ended, in that order; gives the data to write.
RenderExchanges = Callable[[Sequence[Exchange]], Rendered]
_COLORS = {
    Outcome.ANSWERED: GREEN,
    Outcome.ERROR: RED,
    Outcome.UNANSWERED: YELLOW,
    Outcome.NO_RESPONDERS: YELLOW,
}
#: Characters of a payload in a line that is not for a terminal, and the fewest for one.
_PREVIEW, _LEAST_PREVIEW = 40, 12
#: Columns that an error takes in a line; --verbose and --json have all of it.
_ERROR = 80
#: Columns that the names of responders take.
_RESPONDERS = 40


def renderer(
    environment: Environment, *, as_json: bool, verbose: bool, timeout: float | None
) -> RenderExchanges:
    """The renderer that fits stdout and the flags; `timeout` is how long (seconds) a reply was waited for, if known."""
    stdout = environment.stdout
    show: Callable[[Exchange], str]
    if as_json:
        show = _Json(ascii_only=stdout.isatty())
    else:
        painter = Painter(colored=environment.colored(stdout))
        show = _InFull(painter, timeout, environment) if verbose else _Lines(painter, timeout, environment)

    def render(exchanges: Sequence[Exchange]) -> Rendered:
        return b"", bytes_for_people("".join(map(show, exchanges)))

    return render


class _Lines:
    """One line an exchange, as wide as the terminal."""

    def __init__(self, painter: Painter, timeout: float | None, environment: Environment) -> None:
        self._painter = painter
        self._timeout = timeout
        self._when = _clock(environment)
        self._terminal = environment.stdout if environment.stdout.isatty() else None

    def __call__(self, exchange: Exchange) -> str:
        request, answers = exchange.payload, exchange.answers
        parts = [
            (self._when(exchange), DIM),
            (f" [#{exchange.number}] ", BOLD),
            (_text(exchange.subject), ""),
            (f"  {_state(exchange, self._timeout)}", _COLORS[exchange.outcome]),
            (_who(answers), ""),
            (f"  {_sizes(request, answers)}", DIM),
        ]
        room = self._room(sum(width_of(visible_line(text)) for text, _ in parts))
        shown = preview(request, room)
        if answers:
            shown += f" -> {preview(answers[0].payload, room)}"
        return self._painter.paint(*parts, (f"  {shown}", ""))

    def _room(self, taken: int) -> int:
        if self._terminal is None:
            return _PREVIEW
        columns = terminal_size(self._terminal).columns
        return max((columns - taken - len("   -> ")) // 2, _LEAST_PREVIEW)


class _InFull:
    """The request and each reply with headers and payload."""

    def __init__(self, painter: Painter, timeout: float | None, environment: Environment) -> None:
        self._painter = painter
        self._timeout = timeout
        self._when = _clock(environment)

    def __call__(self, exchange: Exchange) -> str:
        return "".join([f"{part}\n" for part in self._parts(exchange)])

    def _parts(self, exchange: Exchange) -> Iterator[str]:
        subject, reply = exact(exchange.subject), _text(exchange.reply)
        what = f"Request on [{_text(exchange.subject)}], replies on [{reply}]"
        yield self._part(exchange, what, "", exchange.header, exchange.payload)
        for number, answer in enumerate(exchange.answers, 1):
            which = f"Reply {number}" if len(exchange.answers) > 1 else "Reply"
            what = f"{which} after {format_duration(answer.rtt_ns / 1e9)}{_notes(answer, subject)}"
            style = RED if read_problem(answer.header, answer.said, subject) else GREEN
            yield self._part(exchange, what, style, answer.header, answer.payload)
        if not exchange.answers:
            state = _state(exchange, self._timeout)
            yield self._part(
                exchange, f"{state[:1].upper()}{state[1:]}", _COLORS[exchange.outcome], None, b""
            )

    def _part(self, exchange: Exchange, what: str, style: str, header: bytes | None, payload: bytes) -> str:
        paint = self._painter
        line = paint.paint((self._when(exchange), DIM), (f" [#{exchange.number}] ", BOLD), (what, style))
        return line + paint.header_lines(header) + paint.payload(payload)


class _Json:
    """An object an exchange; the members of the request, then the replies."""

    def __init__(self, *, ascii_only: bool) -> None:
        self._encoder = Encoder(ascii_only=ascii_only)

    def __call__(self, exchange: Exchange) -> str:
        encoder, subject = self._encoder, exact(exchange.subject)
        replies = ", ".join(
            [
                f'{{"rtt_ns": {answer.rtt_ns}, {encoder.message(answer.header, answer.payload)}'
                f"{encoder.acknowledged(answer.said, subject)}}}"
                for answer in exchange.answers
            ]
        )
        rtt_ns = "null" if exchange.rtt_ns is None else exchange.rtt_ns
        error = ""
        if exchange.error is not None:
            code, text = map(replaced, exchange.error[1:])
            number = code if code.isascii() and code.isdigit() and len(code) < 10 else encoder.text(code)
            error = f', "code": {number.lstrip("0") or "0"}, "message": {encoder.text(text)}'
        time_text = f'"{timestamp(exchange.came)}"' if exchange.came else "null"
        return (
            f'{{"time": {time_text}, "number": {exchange.number}, '
            f'"subject": {encoder.decoded(exchange.subject)}, "reply_to": {encoder.decoded(exchange.reply)}, '
            f'"outcome": "{exchange.outcome.value}", "rtt_ns": {rtt_ns}, '
            f'{encoder.message(exchange.header, exchange.payload)}, "replies": [{replies}]{error}}}\n'
        )


def preview(payload: bytes, room: int) -> str:
    """The first characters of a payload on one line, in `room` columns at most."""
    return shortened(for_people(payload[: 4 * room + 4]), room)


def _state(exchange: Exchange, timeout: float | None) -> str:
    if exchange.outcome is Outcome.NO_RESPONDERS:
        return "no responders"
    if exchange.outcome is Outcome.UNANSWERED:
        return "unanswered" if timeout is None else f"unanswered after {format_duration(timeout)}"
    state = format_duration((exchange.rtt_ns or 0) / 1e9)
    if len(exchange.answers) > 1:
        state += f", {len(exchange.answers)} replies"
    error = exchange.error
    if error is not None and error.source != "status":
        who = "JetStream error" if error.source == "stream" else "error"
        shown = f"{who} {error.code}".rstrip() + (f": {error.text}" if error.text else "")
        state += f", {shortened(shown, _ERROR)}"
    return state + _notes(exchange.answers[0], exact(exchange.subject))


def _notes(answer: Answer, subject: str) -> str:
    """What the reply to a request on `subject` is besides data: a status, the acknowledgement of a stream."""
    status = read_status(answer.header)
    if status is not None:
        return f", status {shortened(str(status), _ERROR)}"
    taken = read_acknowledgement(answer.said, subject)
    if taken is None or taken.error is not None:
        return ""
    return f", acknowledged by stream {shortened(taken.stream, _ERROR)}, {taken.sequence}"


def _who(answers: Sequence[Answer]) -> str:
    """Those who have answered, each once, if they say so."""
    names = dict.fromkeys(responder(answer.header, answer.said) for answer in answers)
    names.pop("", None)
    return f" from {shortened(', '.join(names), _RESPONDERS)}" if names else ""


def _sizes(request: bytes, answers: Sequence[Answer]) -> str:
    sizes = f"{len(request)} B"
    return f"{sizes} -> {sum(len(answer.payload) for answer in answers)} B" if answers else sizes


def _text(subject: bytes) -> str:
    return exact(subject)


def _clock(environment: Environment) -> Callable[[Exchange], str]:
    """Gives the time of day, in a file with the date; what was recorded may have none."""
    shown = clock(is_file(environment.stdout))
    return lambda exchange: shown(exchange.came).rstrip() if exchange.came else "--:--:--"
