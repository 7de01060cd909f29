"""`pynats request`: send a request and show the replies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from natscli.cli.groups import Command
from natscli.cli.options import (
    DURATION,
    READ,
    SENDING,
    WRITTEN,
    App,
    Number,
    connection_options,
    connection_settings,
    new_translator,
    option,
    pass_app,
)
from natscli.errors import InputError, PynatsError, explain
from natscli.message.formats import NAMES, load
from natscli.message.recipe import Recipe, compile_recipe, read_body
from natscli.request.options import RequestOptions, check

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from natscli.environment import Environment
    from natscli.request.conditions.thresholds import Verdict


def _complete_subject(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from natscli.cli.discovery import complete_endpoints

    return complete_endpoints(ctx, param, incomplete)


@click.command(
    cls=Command,
    notes=SENDING,
    names_exits=True,
    examples={
        "pynats request help.please 'I need help!'": "send a request",
        "pynats request orders.new --json < o.json": "send a file, get JSON",
        "pynats request echo.me --raw < photo.jpg > copy.jpg": "payloads only, byte for byte",
        'pynats request test --count 1000 --concurrency 16 "Message {{Count}}"': "send many, measure RTT",
        'pynats request discover --replies 0 --timeout 2s ""': "gather all replies",
        "printf '1\\n2\\n3\\n' | pynats request square --send-on newline": "send each line",
    },
)
@click.argument("subject", shell_complete=_complete_subject)
@click.argument("body", required=False)
@option("--body-file", type=READ, metavar="FILE", common=True,
        help="Send the contents of FILE; - is stdin.")  # fmt: skip
@option("-r", "--raw", is_flag=True, common=True, help="Write only the payloads, byte for byte.")
@option("-H", "--header", "header", multiple=True, metavar="NAME:VALUE", common=True,
        help="Add a header to the request; repeatable.")  # fmt: skip
@option("--count", type=click.IntRange(min=1), metavar="N", common=True,
        help="Send N requests.  [default: 1]")  # fmt: skip
@option("--concurrency", type=click.IntRange(min=1), metavar="K", common=True,
        help="Keep K requests in flight.  [1; with --rate: 65536]")  # fmt: skip
@option("--duration", type=DURATION, metavar="DURATION", help="Send requests for this long.")
@option("--rate", type=Number(), metavar="R", common=True,
        help="Send R requests a second, whatever the replies.")  # fmt: skip
@option("--ramp", type=DURATION, metavar="DURATION", help="Increase the rate to --rate over this time.")
@option("--warmup", type=click.IntRange(min=1), metavar="N", help="Do not count the first N requests.")
@option("--processes", type=click.IntRange(min=1, max=64), metavar="N",
        help="Send from N processes, where one core is not enough.")  # fmt: skip
@option("--retries", type=click.IntRange(min=1), metavar="N", common=True,
        help="Retry a failed request up to N times.")  # fmt: skip
@option("--retry-on", metavar="KINDS",
        help="Failures to retry: no-responders, timeout, connection.  [default: no-responders,connection]")  # fmt: skip
@option("--wait-for-responders", type=DURATION, metavar="TIME", common=True,
        help="Wait up to TIME for a server and responders.")  # fmt: skip
@option("--fail-fast", is_flag=True, help="Stop at the first request that fails.")
@option("--replies", type=click.IntRange(min=0), default=1, metavar="N", common=True,
        help="Wait for N replies; 0 is --timeout.  [default: 1]")  # fmt: skip
@option("--first", type=click.IntRange(min=1), metavar="K",
        help="Wait for --timeout, or until K replies arrived.")  # fmt: skip
@option("--reply-timeout", type=DURATION, metavar="DURATION",
        help="Longest wait between replies, or for the only one.  [default: 300ms]")  # fmt: skip
@option("--wait-for-empty", is_flag=True, help="Wait for replies until an empty one arrives.")
@option("--translate", metavar="COMMAND", help="Pipe each payload through COMMAND before showing it.")
@option("--force-stdin", is_flag=True, help="Read the payload from stdin, even from a terminal.")
@option("--send-on", type=click.Choice(["newline", "eof"]), default="eof", show_default=True,
        help="Send stdin line by line, or as one payload.")  # fmt: skip
@option(
    "--format", type=click.Choice(NAMES), help="Send requests as a framework does, understand its replies."
)
@option("--templates/--no-templates", default=True, help="Fill in {{...}}, or send it unchanged.")
@option("--json", "as_json", is_flag=True, common=True, help="Write each reply or failure as a line of JSON.")
@option("-o", "--output", type=WRITTEN, metavar="FILE", common=True,
        help="Write payloads to FILE or FILE{n}; - is stdout.")  # fmt: skip
@option("--record", type=WRITTEN, metavar="FILE",
        help="Append each request and its replies to FILE, for verify and reply --mock; - is stdout.")  # fmt: skip
@option(
    "--summary-json", type=WRITTEN, metavar="FILE", help="Write the summary to FILE, as JSON; - is stdout."
)
@option("--hdr", type=WRITTEN, metavar="FILE",
        help="Write the latencies to FILE, as an HdrHistogram log; - is stdout.")  # fmt: skip
@option("--report", type=WRITTEN, metavar="FILE",
        help="Write a page with figures and charts to FILE, as HTML; - is stdout.")  # fmt: skip
@option("--timings", is_flag=True, common=True,
        help="Show the time of each phase, service and network.")  # fmt: skip
@option("--fail-if", multiple=True, metavar="CONDITION",
        help="Exit with 8 if it holds: 'p99 > 20ms', 'failed > 1%', 'rate < 500'; repeatable.")  # fmt: skip
@option("--baseline", type=READ, metavar="FILE",
        help="Compare with FILE of an earlier --summary-json, - is stdin; in --fail-if too: 'p99 > +10%'.")  # fmt: skip
@option("--expect", multiple=True, metavar="EXPR",
        help="Fail unless EXPR, in Python, is true on each reply; repeatable.")  # fmt: skip
@option("--expect-service", metavar="NAME",
        help="Fail unless every instance of the service answers; with --replies 0.")  # fmt: skip
@option("--query", metavar="EXPR", help="Write what EXPR gives on each reply, not the payload.")
@option(
    "-v", "--verbose", is_flag=True, help="On a terminal, show the payloads of many requests and replies too."
)
@option("--quiet", is_flag=True, common=True, help="Write payloads only, no log to stderr.")
@connection_options
@pass_app
def request(app: App, /, **given: Any) -> int:
    """Send a request and show the replies.

    RTT is the time from writing the request to the arrival of the reply.
    """
    options = RequestOptions(**given)
    environment = app.environment
    environment.quiet = options.quiet
    with _errors_as_json(environment, options):
        check(options)
        options, verdict = _prepared(options), _verdict(options, environment)
        recipe = compile_recipe(options)
        settings = connection_settings(app)
        translator = new_translator(app, options.translate)
        recipe = _checked(read_body(recipe, options, environment), options)

        from natscli.connection.options import prepare
        from natscli.system import signals

        if options.processes is not None:
            from natscli.connection.credentials import with_secrets

            settings = with_secrets(settings, environment.environ)  # processes do not ask for them again
        plan = prepare(settings, environment)
        if options.processes is not None:
            from natscli.request.processes.parent import run_all

            return signals.run(run_all(options, settings, recipe, environment, verdict))
        from natscli.request.run import run

        work = run(options, recipe, plan, environment, translator, verdict)
        return signals.run(work, precise=options.rate is not None)


def _prepared(options: RequestOptions) -> RequestOptions:
    """`options`, with the subject of the format, once all that they name can be used."""
    if options.output or options.summary_json or options.hdr or options.report or options.record:
        from natscli.request.show.reports import check_reports

        check_reports(options)
    if options.expect or options.query is not None:
        from natscli.request.conditions.judge import judge, query

        judge(options), query(options)
    if options.format is None:
        return options
    return options.replace(subject=load(options.format).subject(options.subject))


def _verdict(options: RequestOptions, environment: Environment) -> Verdict | None:
    """What --fail-if and --baseline make of the run.

    Raises:
        InputError: no condition, or no earlier summary.
    """
    if not options.fail_if and options.baseline is None:
        return None
    from natscli.request.conditions.thresholds import verdict

    return verdict(options.fail_if, options.baseline, environment.stdin)


def _checked(recipe: Recipe, options: RequestOptions) -> Recipe:
    """`recipe`, if the format of `options` can hold what it makes, and --expect-service knows its subject."""
    if options.expect_service is not None and not recipe.subject.is_static:
        raise InputError("the subject must be a text, not a template", where="--expect-service")
    if options.format is not None and not options.by_line:
        from natscli.request.formatted import check as check_format

        check_format(recipe, load(options.format))
    return recipe


@contextmanager
def _errors_as_json(environment: Environment, options: RequestOptions) -> Iterator[None]:
    """With --json, write an error that ends the whole run as a line of JSON too; stderr shows it later."""
    try:
        yield
    except (PynatsError, KeyboardInterrupt) as error:
        if options.as_json:
            from natscli.request.show.display import error_line

            with suppress(OSError):  # stderr shows it even so
                environment.stdout.write(error_line(environment, explain(error), options.subject, 0))
        raise
