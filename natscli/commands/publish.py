"""`pynats publish`: publish messages to a subject."""

from __future__ import annotations

from typing import Any

import click

from natscli.cli.groups import Command
from natscli.cli.jetstream import refuse_jetstream
from natscli.cli.options import (
    DURATION,
    READ,
    SENDING,
    App,
    Number,
    connection_options,
    connection_settings,
    option,
    pass_app,
)
from natscli.message.recipe import compile_recipe, read_body
from natscli.publish.options import PublishOptions, check

NOTES = f"""{SENDING}
It ends when the server has taken everything. That the server took a message does not mean that anyone received it.
"""


@click.command(
    cls=Command,
    notes=NOTES,
    examples={
        "pynats publish orders.new '{\"id\": 1}'": "publish a message",
        "pynats pub photos --body-file photo.jpg": "the bytes of a file",
        "tail -f app.log | pynats pub logs --send-on newline": "each line as it comes",
        "pynats pub test 'Message {{Count}}' --count 1000 --rate 100": "100 messages a second",
        "pynats pub orders.new '{}' -H Trace:4f2a --reply orders.done": "with a header, and a reply subject",
    },
)
@click.argument("subject")
@click.argument("body", required=False)
@option("-H", "--header", "header", multiple=True, metavar="NAME:VALUE", common=True,
        help="Add a header to the message; repeatable.")  # fmt: skip
@option(
    "--body-file",
    type=READ,
    metavar="FILE",
    common=True,
    help="Publish the contents of FILE; - is stdin.",
)
@option("--reply", default="", metavar="SUBJECT", common=True, help="Ask for replies on SUBJECT.")
@option("--count", type=click.IntRange(min=1), metavar="N", common=True,
        help="Publish N messages.  [default: 1]")  # fmt: skip
@option("--sleep", type=DURATION, default=0.0, metavar="DURATION", help="Wait DURATION after each message.")
@option("--rate", type=Number(), metavar="R", common=True,
        help="Publish up to R messages a second.")  # fmt: skip
@option("--force-stdin", is_flag=True, help="Read the payload from stdin, even from a terminal.")
@option("--send-on", type=click.Choice(["newline", "eof"]), default="eof", show_default=True, common=True,
        help="Publish stdin line by line, or as one payload.")  # fmt: skip
@option("--templates/--no-templates", default=True, help="Fill in {{...}}, or send it unchanged.")
@option("--json", "as_json", is_flag=True, help="Write the outcome as a line of JSON.")
@option("-q", "--quiet", is_flag=True, help="Write no log to stderr.")
@refuse_jetstream("publish")
@connection_options
@pass_app
def publish(app: App, /, **given: Any) -> int:
    """Publish messages to a subject."""
    options = PublishOptions(**given)
    environment = app.environment
    environment.quiet = options.quiet
    check(options)
    recipe = compile_recipe(options, "a message")
    settings = connection_settings(app)
    recipe = read_body(recipe, options, environment)

    from natscli.connection.options import prepare
    from natscli.publish.run import run
    from natscli.system import signals

    return signals.run(run(options, recipe, prepare(settings, environment), environment))
