"""`pynats compare`: two runs of requests beside each other."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import READ, App, option, output_options, pass_app
from natscli.errors import ExitStatus, explain


@click.command(
    cls=Command,
    examples={
        "pynats compare before.json after.json": "rate, failures and RTT of two runs",
        "pynats compare before.json after.json --fail-if 'p99 > +10%'": "exit with 8 if it got slower",
    },
)
@click.argument("before", type=READ)
@click.argument("after", type=READ)
@option("--fail-if", multiple=True, metavar="CONDITION", common=True,
        help="Exit with 8 if it holds: 'p99 > +10%', 'rate < 500', 'failed > 1%'; repeatable.")  # fmt: skip
@option("-j", "--json", "as_json", is_flag=True, common=True, help="Write one JSON object.")
@output_options
@pass_app
def compare(app: App, before: str, after: str, fail_if: tuple[str, ...], as_json: bool) -> int:
    """Compare two runs of requests.

    BEFORE and AFTER are files that `pynats request --summary-json` wrote; one may be -, standard input. A condition
    with + or - is about the change, any other about AFTER.
    """
    from natscli.request.conditions.thresholds import Verdict, parse_condition, read_figures
    from natscli.request.show.comparison import comparison, record

    environment = app.environment
    conditions = [parse_condition(text) for text in fail_if]
    old, new = (
        read_figures(path, where, environment.stdin) for path, where in ((before, "BEFORE"), (after, "AFTER"))
    )
    if as_json:
        import json

        environment.out(f"{json.dumps(record(old, new), indent=2)}\n")
    else:
        environment.out("".join(f"{line}\n" for line in comparison(old, new)))
    failures = Verdict(conditions, old).failures(new)
    for failure in failures:
        environment.error(explain(failure))
    return ExitStatus.UNEXPECTED if failures else ExitStatus.OK
