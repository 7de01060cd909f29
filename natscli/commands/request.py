"""`pynats request`: send a request and show the replies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from natscli.cli.groups import Command
from natscli.cli.options import (
    DURATION,
    App,
    FileName,
    connection_options,
    connection_settings,
    option,
    pass_app,
)
from natscli.errors import PynatsError, explain
from natscli.request.options import RequestOptions, check
from natscli.request.recipe import compile_recipe, read_body

if TYPE_CHECKING:
    from natscli.environment import Environment
    from natscli.request.translate import Translator

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
def request(app: App, /, **given: Any) -> int:
    """Send a request and show the replies.

    RTT is the time from writing the request to the arrival of the reply.
    """
    options = RequestOptions(**given)
    environment = app.environment
    environment.quiet = options.quiet
    with _errors_as_json(environment, options):
        check(options)
        recipe = compile_recipe(options)
        settings = connection_settings(app)
        translator = _translator(options, environment)
        recipe = read_body(recipe, options, environment)

        from natscli import signals
        from natscli.connection.options import prepare
        from natscli.request.run import run

        plan = prepare(settings, environment)
        return signals.run(run(options, recipe, plan, environment, translator))


def _translator(options: RequestOptions, environment: Environment) -> Translator | None:
    if options.translate is None:
        return None
    from natscli.request.translate import Translator

    return Translator(options.translate, environment.environ)


@contextmanager
def _errors_as_json(environment: Environment, options: RequestOptions) -> Iterator[None]:
    """With --json, write an error that ends the whole run as a line of JSON too; stderr shows it later."""
    try:
        yield
    except (PynatsError, KeyboardInterrupt) as error:
        if options.as_json:
            from natscli.request.display import error_line

            with suppress(OSError):  # stderr shows it even so
                environment.stdout.write(error_line(environment, explain(error), options.subject, 0))
        raise
