"""`pynats reply`: answer requests on a subject."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

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
from natscli.reply.options import ReplyOptions, check

NOTES = """
Templates in BODY, header values and --command:
  {{Count}}          request, from 0      {{ID}}        a unique ID
  {{Time}}           the time, 3:04PM     {{Unix}}      seconds since 1970
  {{TimeStamp}}      the time, RFC 3339   {{UnixNano}}  nanoseconds
  {{Random 10 100}}  10 to 100 letters    {{Request}}   payload of the request
  {{0}} {{1}} ...    tokens of the subject

The command of --command gets the request on stdin and in NATS_REQUEST_BODY, the subject in NATS_REQUEST_SUBJECT. When
it fails, the reply has its output, and the headers Nats-Service-Error and Nats-Service-Error-Code (500).

The command of --pipe is started once. It gets {"id", "subject", "headers", "data" or "data_base64"} as a line of JSON
for each request, and writes {"id", "data"} as a line for each answer, in any order.

The function of --handler is called with a natscli.Request. It returns bytes, text, nothing or what JSON can hold, or
raises natscli.ServiceError. It may be async, and yield several replies. Without a function and without SUBJECT, all
functions of the file that are below @natscli.endpoint(SUBJECT) answer.

Without BODY and options that answer, requests are echoed. SIGINT (Ctrl-C) and SIGTERM answer all accepted requests,
then stop; a second one stops at once.
"""


@click.command(
    cls=Command,
    notes=NOTES,
    examples={
        "pynats reply help.please 'OK, I CAN HELP!!!'": "answer with a body",
        "pynats reply 'weather.>' --command \"curl -s wttr.in/{{1}}?format=3\"": "answer with a command",
        "pynats reply calc.add --handler calc.py:add": "answer with a Python function",
        "pynats reply echo.me --echo": "send each request back",
        'pynats reply time "It is {{Time}}, request {{Count}}: {{Request}}"': "fill in a template",
        "pynats reply orders.test --upstream orders --record orders.jsonl": "record what a service answers",
        "pynats reply --mock orders.jsonl": "answer the same without the service",
    },
)
@click.argument("subject", required=False)
@click.argument("body", required=False)
@option("--echo", is_flag=True, common=True, help="Reply with the request, headers included.")
@option("--command", metavar="COMMAND", common=True, help="Reply with the output of COMMAND.")
@option("--pipe", metavar="COMMAND", help="Reply with lines of JSON from a COMMAND that keeps running.")
@option("--handler", metavar="FILE.py[:FUNCTION]", common=True,
        help="Reply with what a Python function returns.")  # fmt: skip
@option("--reload", is_flag=True, help="Load the handler, or the mock, again when it changes.")
@option("--upstream", metavar="SUBJECT",
        help="Pass requests on to SUBJECT, reply with its replies.")  # fmt: skip
@option("--candidate", metavar="SUBJECT",
        help="Ask SUBJECT the same after --upstream, and log where its reply differs.")  # fmt: skip
@option("--ignore", metavar="JSONPATH", multiple=True,
        help="Do not compare these members of JSON with --candidate; repeatable.")  # fmt: skip
@option("--ignore-header", metavar="NAME", multiple=True,
        help="Do not compare this header with --candidate; repeatable.")  # fmt: skip
@option("--match", type=click.Choice(["exact", "json", "shape"]),
        help="How --candidate is compared: bytes, JSON, or members and types.  [default: json]")  # fmt: skip
@option("--replies", type=click.IntRange(min=0), default=1, metavar="N",
        help="Pass on N replies of --upstream; 0 for all.  [default: 1]")  # fmt: skip
@option("--reply-timeout", type=DURATION, default=0.3, metavar="DURATION",
        help="Longest wait for one more reply of --upstream.  [default: 300ms]")  # fmt: skip
@option("--mock", metavar="FILE", type=READ, common=True,
        help="Reply as FILE says: recorded replies, and rules; - is stdin.")  # fmt: skip
@option("--record", metavar="FILE", type=WRITTEN,
        help="Append each request and its reply to FILE; - is stdout.")  # fmt: skip
@option("-q", "--queue", metavar="GROUP", common=True,
        help="Share the requests with the members of GROUP.  [default: NATS-RPLY-22; q for a service]")  # fmt: skip
@option("--sleep", metavar="[MIN..]MAX", help="Delay each reply by a random time from MIN to MAX.")
@option("--fail", metavar="RATE[:CODE]", help="Answer a share of the requests with an error: 0.2 or 20%:503.")
@option("--drop", metavar="RATE", help="Leave a share of the requests unanswered.")
@option(
    "--random-seed", type=int, metavar="N", help="Repeat the random choices of --sleep, --fail and --drop."
)
@option("-H", "--header", "header", multiple=True, metavar="NAME:VALUE", common=True,
        help="Add a header to the replies; repeatable.")  # fmt: skip
@option("--count", type=click.IntRange(min=0), default=0, metavar="N", common=True,
        help="Stop after N requests.")  # fmt: skip
@option("--concurrency", type=click.IntRange(min=1), metavar="K",
        help="Answer up to K requests at once.  "
             "[default: commands: number of cores + 2; handlers: 100; --pipe, --upstream: no limit]")  # fmt: skip
@option("--processes", type=click.IntRange(min=1), default=1, metavar="N",
        help="Answer with N processes, for handlers that compute.")  # fmt: skip
@option("--command-timeout", type=DURATION, default=30.0, metavar="DURATION",
        help="Answer with error 504 when a command, or an answer of --pipe, takes longer.  [default: 30s]")  # fmt: skip
@option("--wait", type=DURATION, default=0.0, metavar="DURATION",
        help="Wait up to DURATION for a server that is not up yet.")  # fmt: skip
@option("--service", metavar="NAME", group="Service",
        help="Answer as an instance of the service NAME.")  # fmt: skip
@option("--service-version", metavar="VERSION", default="0.0.0", show_default=True, group="Service",
        help="Version of the service, such as 1.2.3.")  # fmt: skip
@option("--endpoint", metavar="NAME", default="", group="Service",
        help="Name of the endpoint.  [default: made from the subject]")  # fmt: skip
@option("--description", metavar="TEXT", default="", group="Service", help="What the service is for.")
@option("--metadata", metavar="KEY=VALUE", multiple=True, group="Service",
        help="Add to the metadata of the service; repeatable.")  # fmt: skip
@option("--format", type=click.Choice(NAMES), help="Understand requests and replies of a framework.")
@option("--templates/--no-templates", default=True, help="Fill in {{...}}, or send it unchanged.")
@option("--json", "as_json", is_flag=True, common=True, help="Write each request as a line of JSON.")
@option("--stats", is_flag=True, common=True, help="Show statistics in place of each request.")
@option("-v", "--verbose", is_flag=True, help="Log what each request was answered with.")
@option("--quiet", is_flag=True, help="Write payloads only, no log to stderr.")
@connection_options
@pass_app
def reply(app: App, /, **given: Any) -> None:
    """Answer requests with a body, a command or Python code.

    SUBJECT may contain the wildcards * and >.
    """
    options = ReplyOptions(**given)
    environment = app.environment
    environment.quiet = options.quiet
    if options.subject is not None:
        options = replace(options, subject=subject_of(options.format)(options.subject))
    check(options)
    question(environment, options.subject or "", "for several, use a wildcard, or a responder for each")

    if options.processes > 1:
        _answer_with_processes(app, options)
        return

    from natscli.reply.responders.build import build

    responder = build(options, environment)
    settings = connection_settings(app)

    from natscli.connection.options import prepare
    from natscli.reply.run import run, without_exit
    from natscli.system import signals

    plan = prepare(settings, environment)
    with without_exit(options):
        signals.run(run(options, responder, plan, environment))


def _answer_with_processes(app: App, options: ReplyOptions) -> None:
    settings = connection_settings(app)

    from natscli.connection.credentials import with_secrets
    from natscli.connection.options import prepare
    from natscli.reply.processes.parent import supervise
    from natscli.system import signals

    settings = with_secrets(settings, app.environment.environ)
    prepare(settings, app.environment)
    signals.run(supervise(options, settings, app.environment))
