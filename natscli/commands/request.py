"""`pynats request`: send a request and show the replies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from natscli.cli import Command
from natscli.errors import ExitStatus, InputError, PynatsError, explain
from natscli.message import payload, subjects
from natscli.message.templates import Template, compile_template
from natscli.params import DURATION, App, connection_options, option, parse_headers, pass_app

if TYPE_CHECKING:
    from natscli.environment import Environment
    from natscli.request.display import Translate

EPILOG = """\b
Examples:
  pynats request help.please "I need help!"
  pynats request echo.me --raw < photo.jpg > copy.jpg
  pynats request orders.new --json < order.json | jq .rtt_ns
  pynats request test --count 1000 --concurrency 16 "Message {{Count}} @ {{Time}}"
  pynats request discover --replies 0 --timeout 2s ""
  printf '1\\n2\\n3\\n' | pynats request square --send-on newline

\b
Templates in BODY, SUBJECT and header values:
  {{Count}}         number of the request, from 1      {{ID}}      a unique ID
  {{Time}}          the time, 3:04PM                   {{Unix}}    seconds since 1970
  {{TimeStamp}}     the time, RFC 3339                 {{UnixNano}} nanoseconds since 1970
  {{Random 10 100}} that many letters and digits

Without a BODY, standard input is the payload, unless it is a terminal.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("subject")
@click.argument("body", required=False)
@option("--body-file", metavar="FILE", help="Send the bytes of a file.")
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
@option("--quiet", is_flag=True, help="Tell no story on stderr, only show payloads.")
@connection_options
@pass_app
def request(
    app: App, *, subject: str, body: str | None, body_file: str | None, raw: bool, header: tuple[str, ...],
    count: int | None, concurrency: int, replies: int, reply_timeout: float | None, wait_for_empty: bool,
    translate: str | None, force_stdin: bool, send_on: str, templates: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Send a request on SUBJECT with BODY and show the replies.

    RTT is the time from writing the request to the arrival of the reply.
    """
    from natscli.contexts.store import ContextStore
    from natscli.settings import resolve

    environment = app.environment
    environment.quiet = quiet
    if raw and as_json:
        raise InputError("--raw and --json exclude each other")
    if body is not None and body_file is not None:
        raise InputError("BODY and --body-file exclude each other")
    subject_template = compile_template(subject, "SUBJECT", reply=False, enabled=templates)
    if subject_template.is_static:
        subjects.check_publish_subject(subject)
    header_templates = []
    for name, value in parse_headers(header):
        header_templates.append((name, compile_template(value, "--header", reply=False, enabled=templates)))
    use_stdin = force_stdin or (body is None and body_file is None and not environment.stdin.isatty())
    by_line = use_stdin and send_on == "newline"
    body_template = _body(environment, body, body_file, templates, read_stdin=use_stdin and not by_line)
    settings = resolve(app.flags, environment.environ, ContextStore(environment.config_dir))

    from natscli.connection import connected
    from natscli.output import json_lines
    from natscli.output.pump import Pump
    from natscli.output.replies import renderer
    from natscli.request.display import RequestDisplay
    from natscli.request.requester import Expectation, Requester
    from natscli.request.source import Counted, Lines, Recipe

    timeout = settings.timeout.value
    one = replies == 1 and not wait_for_empty
    expectation = Expectation(
        replies=replies, timeout=timeout, until_empty=wait_for_empty,
        first=reply_timeout if one and reply_timeout is not None else timeout,
        gap=0.3 if reply_timeout is None else reply_timeout,
    )  # fmt: skip
    several = count is not None or by_line
    recipe = Recipe(subject_template, tuple(header_templates), body_template)
    recipe.make(1)  # a subject that no request can be sent to is found before connecting
    translator: Translate | None = None
    if translate is not None:
        from natscli.request.translate import Translator

        translator = Translator(translate, environment.environ).run

    async def send() -> int:
        async with connected(settings, environment) as connection:
            pump = None
            if several:
                pump = Pump(environment, lossy=False, on_failure=connection.client.on_failure)
                environment.sink = pump.story
            display = RequestDisplay(
                environment, renderer(environment, raw=raw, as_json=as_json, single=one and not several), pump,
                tell=not (raw or as_json), as_json=as_json, several=several,
                translate=translator,
            )  # fmt: skip
            source = Lines(recipe, environment.stdin, count or 1) if by_line else Counted(recipe, count or 1)
            requester = Requester(connection, source, expectation, display, concurrency)
            if isinstance(source, Lines):
                source.start(requester.fill)
            try:
                await requester.run()
            finally:
                display.summary(requester.tally)
                if pump is not None:
                    pump.close()
            failure = requester.tally.first_failure or display.problem
            return failure.status if failure is not None else ExitStatus.OK

    try:
        return asyncio.run(send())
    except PynatsError as error:
        if as_json:
            environment.stdout.write(json_lines.line(json_lines.error_record(subject, 0, explain(error))))
        raise


def _body(
    environment: Environment, body: str | None, body_file: str | None, templates: bool, *, read_stdin: bool
) -> Template:
    """What to send. Only an argument is a template: files and stdin are sent as they are, byte for byte."""
    if body is not None:
        return compile_template(body, "BODY", reply=False, enabled=templates)
    if body_file is not None:
        return Template(payload.read_file(body_file))
    return Template(payload.read_all(environment.stdin) if read_stdin else b"")
