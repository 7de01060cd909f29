"""`pynats watch`: show the requests of others and their replies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from natscli import __version__
from natscli.cli.doubts import question
from natscli.cli.groups import Command
from natscli.cli.options import (
    DURATION,
    READ,
    WRITTEN,
    App,
    connection_options,
    connection_settings,
    option,
    pass_app,
)
from natscli.message.formats import NAMES, subject_of
from natscli.watch.options import WATCHER, WatchOptions, check, check_nothing_connects


@click.command(
    cls=Command,
    examples={
        "pynats watch 'orders.>'": "a line for each request and its reply",
        "pynats watch 'orders.>' --stats": "rates and times by subject, live",
        "pynats watch 'orders.*' --slow 100ms --errors": "only what is slow or fails",
        "pynats watch orders.new --json | jq .rtt_ns": "every exchange as JSON",
        "pynats watch orders.new --verbose --count 1": "one in full, with headers",
        "pynats watch --read orders.jsonl --stats --by responder": "of a recording, by who answered",
    },
    notes="""
    A watcher is a subscriber like any other: while it watches, requests that nobody answers time out instead of
    getting "no responders" at once, and clients without a timeout wait for ever. --answer-no-responders sends them
    what the server would have sent. They are shown as having no responders when the servers say that only watchers
    subscribe, and no reply has come within --timeout.

    Nothing else is answered, and no queue group is joined. Replies are seen by subscribing to all inboxes: _INBOX.>,
    or those of --inbox-prefix, and _R_.>, where requests from other accounts are answered; more are added as
    requesters use them. Times are measured by the watcher, so they do not include the network between the requester
    and the server.
    """,
)
@click.argument("subject", nargs=-1)
@option(
    "--slow",
    type=DURATION,
    metavar="DURATION",
    common=True,
    help="Show replies that take at least this long.",
)
@option("--errors", is_flag=True, common=True, help="Show replies with a service error.")
@option("--unanswered", is_flag=True, common=True, help="Show requests without a reply.")
@option("--where", metavar="EXPR", common=True,
        help="Show exchanges that EXPR, in Python, is true of.")  # fmt: skip
@option("--record", type=WRITTEN, metavar="FILE",
        help="Append what is shown to FILE, for reply --mock and verify; - is stdout.")  # fmt: skip
@option("--read", type=READ, metavar="FILE", common=True,
        help="Show what was recorded in FILE; - is stdin.")  # fmt: skip
@option("--stats", is_flag=True, common=True, help="Show a table by subject instead.")
@option("--by", metavar="KEY", common=True,
        help="Have rows by subject, responder or header:NAME.")  # fmt: skip
@option("--report", type=WRITTEN, metavar="FILE",
        help="With --stats, write a page with figures and charts to FILE, as HTML; - is stdout.")  # fmt: skip
@option("--sample", default="1", metavar="RATE", show_default=True,
        help="Follow only a share of the exchanges: 0.01, or 1%.")  # fmt: skip
@option("--count", type=click.IntRange(min=0), metavar="N", common=True, help="Stop after N exchanges.")
@option("--reply-timeout", type=DURATION, default=0.3, metavar="DURATION",
        help="Longest wait for another reply to the same request.  [default: 300ms]")  # fmt: skip
@option("--answer-no-responders", is_flag=True,
        help="Tell requesters when nobody else subscribes, as the server would.")  # fmt: skip
@option("--format", type=click.Choice(NAMES), help="Show what is in the messages of a framework.")
@option("-v", "--verbose", is_flag=True, common=True, help="Show headers and whole payloads.")
@option("--json", "as_json", is_flag=True, common=True, help="Write each exchange as a line of JSON.")
@option("--quiet", is_flag=True, help="Write no log to stderr.")
@connection_options
@pass_app
def watch(app: App, /, **given: Any) -> None:
    """Show the requests of others and their replies.

    SUBJECT may contain the wildcards * and >. A request without a reply within --timeout is shown as unanswered.
    With --read nothing connects, and SUBJECT selects from the recording.
    With several of --slow, --errors and --unanswered, exchanges are shown to which any of them applies.
    """
    options = WatchOptions(**given)
    if not options.subject and options.read is None:
        context = click.get_current_context()
        raise click.MissingParameter(ctx=context, param_hint="'SUBJECT...'", param_type="argument")
    environment = app.environment
    environment.quiet = options.quiet
    options = replace(options, subject=tuple(map(subject_of(options.format), options.subject)))
    check(options)
    if options.read is not None:
        _show_recorded(app, options)
        return
    for subject in options.subject:
        question(environment, subject, "for several, give each as an argument")
    app.flags.setdefault("connection_name", f"{WATCHER} {__version__}")
    settings = connection_settings(app)

    from natscli.connection.options import prepare
    from natscli.system import signals
    from natscli.watch.run import run

    signals.run(run(options, prepare(settings, environment), environment))


def _show_recorded(app: App, options: WatchOptions) -> None:
    check_nothing_connects(app.flags)

    from natscli.system import signals
    from natscli.watch.run import run_recorded

    signals.run(run_recorded(options, app.environment))
