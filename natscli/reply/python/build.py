"""From --handler to the responder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.message.header_lines import header_lines
from natscli.reply.options import ReplyOptions, header_templates
from natscli.reply.python.handler import Handler
from natscli.reply.python.importing import load, parse
from natscli.reply.python.prints import redirect_prints
from natscli.reply.responders.responder import Place, Responder


def build(options: ReplyOptions, environment: Environment) -> Responder:
    """Answer with the function that --handler names, or with all endpoints of its module.

    Raises:
        InputError: it cannot be imported, cannot take a request, or nothing says on which subject requests come.
    """
    source = parse(options.handler or "", named=options.subject is not None)
    redirect_prints(environment)
    lines = header_lines(header_templates(options))
    if options.reload:
        # Python takes compiled code for current when the source has the size and the second it had before.
        sys.dont_write_bytecode = True
    loaded = load(source)
    for note in loaded.notes:
        environment.warn(note)
    handler = Handler(loaded, lines, options.handlers_at_once)
    check = partial(_check_places, options)
    if options.subject is None:
        check(handler.places)
    if not options.reload:
        return handler
    from natscli.reply.python.reload import Reloading

    return Reloading(handler, source, environment, check)


def _check_places(options: ReplyOptions, places: Sequence[Place]) -> None:
    """Refuse to listen nowhere, and options that go with one endpoint only."""
    if not places:
        raise InputError("missing argument 'SUBJECT'",
                         hint="or write @endpoint('SUBJECT') above the function")  # fmt: skip
    if options.endpoint and len(places) > 1:
        raise InputError(f"there are {len(places)} endpoints, and one name", where="--endpoint",
                         hint="write @endpoint(..., name='NAME') above the functions")  # fmt: skip
    if options.processes > 1 and any(place.queue == "" for place in places):
        raise InputError("several processes need a queue group, or each of them would answer every request",
                         where="the queue of an endpoint")  # fmt: skip
