"""`pynats request`: send a request and show the replies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from natscli.cli.groups import Command
from natscli.cli.options import (
    DURATION,
    App,
    FileName,
    connection_options,
    connection_settings,
    option,
    parse_headers,
    pass_app,
)  # fmt: skip
from natscli.environment import Environment
from natscli.errors import ExitStatus, InputError, PynatsError, explain
from natscli.message import payload, subjects
from natscli.message.templates import Facts, Template, compile_template

EPILOG = """\b
Examples:
  pynats request help.please 'I need help!'
  pynats request echo.me --raw < photo.jpg > copy.jpg
  pynats request orders.new --json < order.json | jq .rtt_ns
  pynats request test --count 1000 --concurrency 16 "Message {{Count}}"
  pynats request discover --replies 0 --timeout 2s ""
  printf '1\\n2\\n3\\n' | pynats request square --send-on newline

\b
Templates in BODY, SUBJECT and header values:
  {{Count}}          request, from 1      {{ID}}        a unique ID
  {{Time}}           the time, 3:04PM     {{Unix}}      seconds since 1970
  {{TimeStamp}}      the time, RFC 3339   {{UnixNano}}  nanoseconds
  {{Random 10 100}}  that many letters and digits

Without a BODY, standard input is the payload, unless it is a terminal. Files and standard input are sent as they
are: templates in them are not filled in.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("subject")
@click.argument("body", required=False)
@option("--body-file", type=FileName(), metavar="FILE", help="Send the bytes of a file.")
@option("-r", "--raw", is_flag=True, help="Show the payloads as they are and nothing else.")
@option(
    "-H", "--header", "header", multiple=True, metavar="NAME:VALUE", help="Header of the request; repeatable."
)
@option("--count", type=click.IntRange(min=1), metavar="N", help="Send this many requests.  [default: 1]")
@option(
    "--concurrency", type=click.IntRange(min=1), default=1, metavar="K", help="Requests in flight at once."
)
@option("--replies", type=click.IntRange(min=0), default=1, metavar="N", show_default=True,
        help="Replies to wait for; 0 takes all within --timeout.")  # fmt: skip
@option("--reply-timeout", type=DURATION, metavar="DURATION",
        help="Time from one reply to the next; with one reply, to that one.  [default: 300ms]")  # fmt: skip
@option("--wait-for-empty", is_flag=True, help="Take replies until an empty one.")
@option("--translate", metavar="COMMAND", help="Show what a command makes of each payload.")
@option("--force-stdin", is_flag=True, help="Read the payload from stdin even if it is a terminal.")
@option("--send-on", type=click.Choice(["newline", "eof"]), default="eof", show_default=True,
        help="Send stdin line by line, or as a whole.")  # fmt: skip
@option("--templates/--no-templates", default=True, help="Fill in {{...}}, or send it as it is.")
@option("--json", "as_json", is_flag=True, help="Show each reply, and each failure, as a line of JSON.")
@option("--quiet", is_flag=True, help="Write no log to stderr, show payloads only.")
@connection_options
@pass_app
def request(
    app: App, *, subject: str, body: str | None, body_file: str | None, raw: bool, header: tuple[str, ...],
    count: int | None, concurrency: int, replies: int, reply_timeout: float | None, wait_for_empty: bool,
    translate: str | None, force_stdin: bool, send_on: str, templates: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Send a request and show the replies.

    RTT is the time from writing the request to the arrival of the reply.
    """
    environment = app.environment
    environment.quiet = quiet
    with _errors_as_json(environment, subject, enabled=as_json):
        if raw and as_json:
            raise InputError("--raw and --json exclude each other")
        if reply_timeout == 0:
            raise InputError("a timeout must be longer than nothing", where="--reply-timeout")
        by_line = send_on == "newline"
        given = {"BODY": body is not None, "--body-file": body_file is not None,
                 "--force-stdin" if force_stdin else "--send-on newline": force_stdin or by_line}  # fmt: skip
        if sum(given.values()) > 1:
            names = [name for name, is_given in given.items() if is_given]
            raise InputError(f"{' and '.join(names)} exclude each other")

        def compiled(text: str, where: str) -> Template:
            return compile_template(text, where, reply=False, enabled=templates)

        subject_template = compiled(subject, "SUBJECT")
        subjects.check_publish_subject(subject_template.fill(Facts(1)).decode("utf-8", "surrogateescape"))
        header_templates = tuple((name, compiled(value, "--header")) for name, value in parse_headers(header))
        body_template = compiled(body or "", "BODY")

        settings = connection_settings(app)
        translator = None
        if translate is not None:
            from natscli.request.translate import Translator

            translator = Translator(translate, environment.environ)
        tell = not (raw or as_json)
        if body_file is not None:
            body_template = Template(payload.read_file(body_file))
        elif not by_line and (force_stdin or (body is None and not environment.stdin.isatty())):
            if tell:
                environment.log("Reading payload from standard input")
            body_template = Template(payload.read_all(environment.stdin))

        import asyncio

        from natscli.connection.connect import connected
        from natscli.connection.options import prepare
        from natscli.output.replies import renderer
        from natscli.request.display import RequestDisplay
        from natscli.request.requester import Expectation, Requester
        from natscli.request.source import Counted, Lines, Recipe
        from natscli.signals import run

        one = replies == 1 and not wait_for_empty
        many = count is not None or by_line
        timeout = settings.timeout.value
        expectation = Expectation(
            replies=replies, until_empty=wait_for_empty,
            first=reply_timeout if one and reply_timeout is not None else timeout,
            gap=0.3 if reply_timeout is None else reply_timeout,
        )  # fmt: skip
        recipe = Recipe(subject_template, header_templates, body_template)
        source = Lines(recipe, count or 1, environment.stdin) if by_line else Counted(recipe, count or 1)
        render = renderer(environment, raw=raw, as_json=as_json, many_requests=many, many_replies=not one)

        ready = prepare(settings, environment)

        async def send() -> int:
            async with connected(ready, environment) as connection:
                display = RequestDisplay(
                    environment, render, tell=tell, as_json=as_json, many=many, translator=translator
                )
                requester = Requester(connection, source, expectation, display, concurrency)
                try:
                    await requester.run()
                    await display.finish(requester.tally)
                except asyncio.CancelledError:
                    display.summary(requester.tally)
                    raise
                finally:
                    display.close()
                failure = requester.tally.first_failure or display.problem
                return failure.status if failure is not None else ExitStatus.OK

        return run(send())


@contextmanager
def _errors_as_json(environment: Environment, subject: str, *, enabled: bool) -> Iterator[None]:
    """Write an error that ends the whole run as a line of JSON too; what tells it on stderr comes later."""
    try:
        yield
    except (PynatsError, KeyboardInterrupt) as error:
        if enabled:
            from natscli.request.display import error_line

            with suppress(OSError):  # what cannot be written there is told on stderr
                environment.stdout.write(error_line(environment, explain(error), subject, 0))
        raise
