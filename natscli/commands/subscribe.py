"""`pynats subscribe`: receive messages and show them."""

from __future__ import annotations

from typing import Any

import click

from natscli.cli.doubts import question
from natscli.cli.groups import Command
from natscli.cli.jetstream import refuse_jetstream
from natscli.cli.options import (
    DURATION,
    App,
    connection_options,
    connection_settings,
    new_translator,
    option,
    pass_app,
)
from natscli.subscribe.options import REPORT_TOP, SubscribeOptions, check

NOTES = """
With --raw, each payload is written as it is, with a line break after it; with --count 1 without one.

SIGINT (Ctrl-C) and SIGTERM stop it once everything received is shown; a second one stops it at once. When stdout is a
pipe that takes less than arrives, up to 64 MB wait in memory; messages beyond that are dropped and counted, and the
exit status is 1. On a terminal, messages are dropped and counted sooner.
"""


@click.command(
    cls=Command,
    notes=NOTES,
    examples={
        "pynats subscribe 'orders.>'": "show all orders",
        "pynats sub 'orders.>' --json | jq -r .subject": "as JSON, for programs",
        "pynats sub photos --count 1 --raw > photo.jpg": "one payload, byte for byte",
        "pynats sub '>' --report-subjects": "count messages by subject",
        "pynats sub 'orders.*' --match-replies": "show requests with their replies",
        "pynats sub 'orders.>' --dump orders/": "save each message to a file",
        "pynats sub encoded --translate 'base64 -d'": "decode each payload",
    },
)
@click.argument("subjects", nargs=-1, metavar="SUBJECT")
@option(
    "-q", "--queue", default="", metavar="GROUP", common=True, help="Share the messages in a queue group."
)
@option("-r", "--raw", is_flag=True, common=True, help="Write only the payloads, byte for byte.")
@option("--json", "as_json", is_flag=True, common=True, help="Write each message as a line of JSON.")
@option("--count", type=click.IntRange(min=0), default=0, metavar="N", common=True,
        help="Stop after N messages.")  # fmt: skip
@option("--wait", type=DURATION, default=0.0, metavar="DURATION", common=True,
        help="Stop when none arrived for DURATION.")  # fmt: skip
@option("--translate", metavar="COMMAND", help="Pipe each payload through COMMAND before showing it.")
@option("--headers-only", is_flag=True, help="Show headers and no payloads.")
@option("--subjects-only", is_flag=True, help="Show subjects only, one a line.")
@option("-I", "--ignore-subject", multiple=True, metavar="SUBJECT",
        help="Leave out messages on SUBJECT; repeatable, * and > are wildcards.")  # fmt: skip
@option("-t", "--timestamp", is_flag=True, help="Show the date and microseconds of each message.")
@option("-d", "--delta-time", is_flag=True, help="Show the time since the start.")
@option("--match-replies", is_flag=True, help="Show each request together with its reply.")
@option("--dump", metavar="DIRECTORY",
        help="Save each message as a JSON file in DIRECTORY; - writes them to stdout, each with a NUL.")  # fmt: skip
@option(
    "--report-subjects", is_flag=True, common=True, help="Count messages by subject instead of showing them."
)
@option("--report-top", type=click.IntRange(min=1), metavar="N",
        help=f"Show N subjects with --report-subjects.  [default: {REPORT_TOP}]")  # fmt: skip
@option("-i", "--inbox", is_flag=True, help="Subscribe to a new inbox instead of a SUBJECT.")
@option("--quiet", is_flag=True, help="Write no log to stderr.")
@refuse_jetstream("subscribe")
@connection_options
@pass_app
def subscribe(app: App, /, **given: Any) -> None:
    """Receive messages and show them.

    SUBJECT may have the wildcards * and >.
    """
    options = SubscribeOptions(**given)
    environment = app.environment
    environment.quiet = options.quiet
    check(options)
    for subject in options.subjects:
        question(environment, subject, "for several, give each as an argument")
    translator = new_translator(app, options.translate)
    settings = connection_settings(app)

    from natscli.connection.options import prepare
    from natscli.subscribe.run import run
    from natscli.system import signals

    signals.run(run(options, prepare(settings, environment), environment, translator))
