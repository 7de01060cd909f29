"""What a run of requests shows: it depends on the options, and on which streams are terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from natscli.environment import Environment
from natscli.request.options import RequestOptions
from natscli.request.show.lines import RenderEvents, gathering, renderer, saving

if TYPE_CHECKING:
    from natscli.request.show.progress import Progress


class Style(NamedTuple):
    """What is shown of each request, and of all of them.

    `each` reply and failure is shown, and with `log` when each request is sent; or, of a load on a terminal, only the
    `progress` and what is `summed_up` at the end, with a `histogram`. Replies to one request may be `gathered` in a
    table. Failures are shown `as_json` too. At a `steady` rate the requests do not wait for what is shown. Payloads may
    be `saved` in files.
    """

    each: bool = True
    log: bool = True
    as_json: bool = False
    summed_up: bool = False
    gathered: bool = False
    progress: bool = False
    steady: bool = False
    histogram: bool = False
    saved: bool = False


def style(options: RequestOptions, environment: Environment) -> Style:
    """What `options` ask for, on these streams."""
    out, err = environment.stdout.isatty(), environment.stderr.isatty() and not environment.quiet
    asked_for = options.raw or options.as_json or options.quiet or options.output is not None
    as_usual = options.verbose or asked_for
    each = not (options.is_load and out) or as_usual
    return Style(
        each=each,
        log=each and options.log_each and not environment.quiet,
        as_json=options.as_json,
        summed_up=options.many_requests,
        gathered=options.many_replies and not options.many_requests and out and not as_usual
        and options.translate is None,
        progress=options.is_load and err and (not each or ((options.raw or options.as_json) and not out)),
        histogram=options.is_load and err,
        steady=options.rate is not None,
        saved=options.output is not None,
    )  # fmt: skip


def event_renderer(options: RequestOptions, style: Style, environment: Environment) -> RenderEvents:
    """Renders what happens in this style."""
    several = {"many_requests": options.many_requests, "many_replies": options.many_replies}
    if style.gathered:
        return gathering(environment)
    if options.output is None:
        return renderer(environment, raw=options.raw, as_json=options.as_json, **several)
    from natscli.request.show.saving import saver

    return saving(environment, saver(options.output, **several), **several)


def progress_bar(options: RequestOptions, style: Style, environment: Environment) -> Progress | None:
    """The bar, if one is shown."""
    if not style.progress:
        return None
    from natscli.request.show.progress import Progress

    return Progress(
        environment.stderr, count=options.count or 0, duration=options.duration or 0.0,
        colored=environment.colored(environment.stderr),
    )  # fmt: skip
