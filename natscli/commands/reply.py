"""`pynats reply`: answer requests on a subject."""

from __future__ import annotations

import os

import click

from natscli.cli.groups import Command
from natscli.cli.options import (
    DURATION,
    App,
    connection_options,
    connection_settings,
    option,
    pass_app,
)
from natscli.errors import InputError
from natscli.message import headers, subjects
from natscli.message.templates import compile_command, compile_template

NOTES = """
Templates in BODY, header values and --command:
  {{Count}}          request, from 0      {{ID}}        a unique ID
  {{Time}}           the time, 3:04PM     {{Unix}}      seconds since 1970
  {{TimeStamp}}      the time, RFC 3339   {{UnixNano}}  nanoseconds
  {{Random 10 100}}  10 to 100 letters    {{Request}}   payload of the request
  {{0}} {{1}} ...    tokens of the subject

The command of --command gets the request on stdin and in NATS_REQUEST_BODY, the subject in NATS_REQUEST_SUBJECT. When
it fails, the reply has its output, and the headers Nats-Service-Error and Nats-Service-Error-Code (500).

Without BODY and --command, requests are echoed. SIGINT (Ctrl-C) and SIGTERM answer all accepted requests, then stop; a
second one stops at once.
"""


@click.command(
    cls=Command,
    notes=NOTES,
    examples={
        "pynats reply help.please 'OK, I CAN HELP!!!'": "answer with a body",
        "pynats reply 'weather.>' --command \"curl -s wttr.in/{{1}}?format=3\"": "answer with a command",
        "pynats reply echo.me --echo": "send each request back",
        'pynats reply time "It is {{Time}}, request {{Count}}: {{Request}}"': "fill in a template",
    },
)
@click.argument("subject")
@click.argument("body", required=False)
@option("--echo", is_flag=True, common=True, help="Reply with the request, headers included.")
@option("--command", metavar="COMMAND", common=True, help="Reply with the output of COMMAND.")
@option("-q", "--queue", default="NATS-RPLY-22", metavar="GROUP", show_default=True, common=True,
        help="Share the requests with the members of GROUP.")  # fmt: skip
@option("--sleep", type=DURATION, default=0.0, metavar="MAX", common=True,
        help="Delay each reply by a random time up to MAX.")  # fmt: skip
@option("-H", "--header", "header", multiple=True, metavar="NAME:VALUE", common=True,
        help="Add a header to the replies; repeatable.")  # fmt: skip
@option("--count", type=click.IntRange(min=0), default=0, metavar="N", common=True,
        help="Stop after N requests.")  # fmt: skip
@option("--concurrency", type=click.IntRange(min=1), metavar="K",
        help="Run up to K commands at once.  [default: number of cores + 2]")  # fmt: skip
@option("--templates/--no-templates", default=True, help="Fill in {{...}}, or send it unchanged.")
@option("--json", "as_json", is_flag=True, common=True, help="Write each request as a line of JSON.")
@option("--quiet", is_flag=True, help="Write payloads only, no log to stderr.")
@connection_options
@pass_app
def reply(
    app: App, *, subject: str, body: str | None, echo: bool, command: str | None, queue: str, sleep: float,
    header: tuple[str, ...], count: int, concurrency: int | None, templates: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Answer requests with a body, an echo, or a command.

    SUBJECT may contain the wildcards * and >.
    """
    environment = app.environment
    environment.quiet = quiet
    subjects.check_subscribe_subject(subject)
    subjects.check_queue(queue)
    bodies = (("BODY", body is not None), ("--echo", echo), ("--command", command is not None))
    given = [name for name, is_given in bodies if is_given]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other")
    header_templates = tuple(
        (name, compile_template(value, "--header", reply=True, enabled=templates))
        for name, value in headers.parse(header)
    )
    body_template = compile_template(body or "", "BODY", reply=True, enabled=templates)
    words = compile_command(command, "--command", enabled=templates) if command is not None else None
    settings = connection_settings(app)

    from natscli.connection.connect import connected
    from natscli.connection.options import prepare
    from natscli.output.requests import renderer
    from natscli.reply import responders
    from natscli.reply.listener import Listener, Listening, SlowResponder
    from natscli.signals import run

    responder: responders.Respond | SlowResponder
    if words is not None:
        from natscli.reply.command import Command as CommandResponder

        responder = CommandResponder(words, environment.environ, header_templates)
    elif body is not None:
        responder = responders.static(body_template, header_templates)
    else:
        responder = responders.echo(header_templates)
        if not echo:
            environment.log("No body or command supplied, enabling echo mode")
    # Two more than cores, so that none is idle while others start, end, or wait for something.
    listening = Listening(subject, queue, count, sleep, concurrency or (os.cpu_count() or 1) + 2)

    ready = prepare(settings, environment)

    async def serve() -> None:
        async with connected(ready, environment, listener=True) as connection:
            await Listener(
                listening, connection, environment, renderer(environment, as_json=as_json), responder
            ).run()

    run(serve())
