"""`pynats verify`: send recorded requests again and compare the replies."""

from __future__ import annotations

from typing import Any

import click

from natscli.cli.groups import Command
from natscli.cli.options import (
    DURATION,
    READ,
    WRITTEN,
    App,
    Number,
    connection_options,
    connection_settings,
    option,
    pass_app,
)
from natscli.verify.options import VerifyOptions, check, destination


@click.command(
    cls=Command,
    examples={
        "pynats verify orders.jsonl": "does the service still answer as recorded?",
        "pynats verify orders.jsonl --to 'test.{{0}}.{{1}}'": "does another one?",
        "pynats verify orders.jsonl --ignore '$..updated_at'": "but for a member of JSON",
        "pynats verify *.jsonl --concurrency 64 --junit report.xml": "in CI, with a report",
        "pynats verify orders.jsonl --update": "take what comes from now on",
    },
    notes="""
    FILE is what --record of reply, request and watch has written, what watch --json writes, or written by hand; - is
    standard input. Replies are the same if their JSON has the same value, or else the same bytes; if they have the
    headers that were recorded, whatever others; the same error code; and if there are as many. Exit status 8 if any is
    not.
    """,
)
@click.argument("files", nargs=-1, required=True, metavar="FILE", type=READ)
@option("--ignore", multiple=True, metavar="JSONPATH", common=True,
        help="Leave out members: '$..updated_at'; repeatable.")  # fmt: skip
@option("--ignore-header", multiple=True, metavar="NAME", common=True,
        help="Do not compare this header; repeatable.")  # fmt: skip
@option("--match", type=click.Choice(["exact", "json", "shape"]), default="json", show_default=True, common=True,
        help="Compare bytes, values of JSON, or only members and types.")  # fmt: skip
@option("--to", metavar="SUBJECT", common=True, help="Send to another subject, such as test.orders.{{2}}.")
@option("--max-rtt", type=DURATION, metavar="DURATION", common=True, help="Replies take no longer than this.")
@option("--concurrency", type=click.IntRange(min=1), default=1, metavar="K", show_default=True, common=True,
        help="Keep up to K requests in flight.")  # fmt: skip
@option("--rate", type=Number(), metavar="R", help="Send no more than R requests a second.")
@option("--reply-timeout", type=DURATION, default=0.3, metavar="DURATION",
        help="How long no further reply may come.  [default: 300ms]")  # fmt: skip
@option("--fail-fast", is_flag=True, common=True, help="Stop at the first reply that differs.")
@option("--update", is_flag=True, common=True, help="Write the replies that differ back to FILE.")
@option(
    "--junit",
    type=WRITTEN,
    metavar="FILE",
    common=True,
    help="Write the results to FILE, as JUnit XML; - is stdout.",
)
@option("--report", type=WRITTEN, metavar="FILE",
        help="Write a page with what differs, figures and charts to FILE, as HTML; - is stdout.")  # fmt: skip
@option("--json", "as_json", is_flag=True, common=True, help="Write each result as a line of JSON.")
@option("--quiet", is_flag=True, help="Write no log and no summary to stderr.")
@connection_options
@pass_app
def verify(app: App, /, **given: Any) -> int:
    """Send recorded requests again and compare the replies.

    Requests without a reply within --timeout differ, unless none was recorded.
    """
    options = VerifyOptions(**given)
    environment = app.environment
    environment.quiet = options.quiet
    check(options)
    to = destination(options)

    from natscli.verify.cases import Cases
    from natscli.verify.run import comparison_of, run

    comparison = comparison_of(options)
    settings = connection_settings(app)
    cases = Cases(options.files, to, environment.stdin)

    from natscli.connection.options import prepare
    from natscli.system import signals

    plan = prepare(settings, environment)
    return signals.run(run(options, cases, comparison, plan, environment))
