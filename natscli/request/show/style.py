"""What a run of requests shows: it depends on the options, and on which streams are terminals."""

from __future__ import annotations

from enum import Enum, auto

from natscli.environment import Environment
from natscli.frozen import Frozen
from natscli.request.options import RequestOptions


class Replies(Enum):
    """How each reply is shown."""

    PAYLOADS = auto()
    """For people on a terminal, else as it is, on lines of its own."""
    RAW = auto()
    """The payload, byte for byte."""
    JSON = auto()
    """A line of JSON; each failure is one too."""
    FILES = auto()
    """The payload in a file of its own."""
    TABLE = auto()
    """A line of a table: several replies to one request, on a terminal."""
    COUNTED = auto()
    """Not at all: a load on a terminal, or of several processes, of which the summary is shown."""


class LastLines(Enum):
    """What is shown of all requests at the end."""

    NOTHING = auto()
    FIGURES = auto()
    HISTOGRAM = auto()
    """Figures, and a histogram of the RTTs."""


class RequestStyle(Frozen):
    """How a run is shown: its `replies`, and its `ending`.

    The `log` has a line for each request and reply. At a `steady` rate the requests do not wait for what is shown.
    With `one_reply` no more than one is waited for.
    """

    replies: Replies = Replies.PAYLOADS
    ending: LastLines = LastLines.NOTHING
    log: bool = True
    progress: bool = False
    steady: bool = False
    one_reply: bool = True

    @property
    def each(self) -> bool:
        """Whether each reply and each failure is shown."""
        return self.replies is not Replies.COUNTED


def request_style(options: RequestOptions, environment: Environment) -> RequestStyle:
    """What `options` ask for, on these streams."""
    out, err = environment.stdout.isatty(), environment.stderr.isatty() and not environment.quiet
    drawn = err and environment.draws_on(environment.stderr)
    replies = _replies(options, terminal=out)
    logged = replies not in (Replies.RAW, Replies.JSON, Replies.COUNTED) and not environment.quiet
    on_screen = out and replies not in (Replies.COUNTED, Replies.FILES)
    ending = LastLines.FIGURES if options.many_requests else LastLines.NOTHING
    return RequestStyle(
        replies=replies,
        ending=LastLines.HISTOGRAM if options.is_load and err else ending,
        log=logged and (options.verbose or not options.is_load),
        progress=options.is_load and drawn and not options.verbose and not on_screen,
        steady=options.rate is not None,
        one_reply=not options.many_replies,
    )


def _replies(options: RequestOptions, *, terminal: bool) -> Replies:
    if options.output not in (None, "-"):
        return Replies.FILES
    if options.processes is not None or "-" in (
        options.record,
        options.report,
        options.summary_json,
        options.hdr,
    ):
        return Replies.COUNTED
    if options.raw or options.as_json or options.output == "-":
        return Replies.JSON if options.as_json else Replies.RAW
    if terminal and not (options.verbose or options.quiet):
        if options.is_load:
            return Replies.COUNTED
        if options.many_replies and not options.many_requests and options.translate is None:
            return Replies.TABLE
    return Replies.PAYLOADS
