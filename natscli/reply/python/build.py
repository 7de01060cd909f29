"""From --handler to the responder."""

from __future__ import annotations

from natscli.environment import Environment
from natscli.message.header_lines import header_lines
from natscli.reply.options import ReplyOptions, header_templates
from natscli.reply.python.handler import Handler
from natscli.reply.python.importing import load, parse
from natscli.reply.python.prints import redirect_prints
from natscli.reply.responders.responder import Responder


def build(options: ReplyOptions, environment: Environment) -> Responder:
    """Answer with the function that --handler names.

    Raises:
        InputError: it cannot be imported, or cannot take a request.
    """
    source = parse(options.handler or "")
    redirect_prints(environment)
    lines = header_lines(header_templates(options))
    handler = Handler(load(source), lines, options.handlers_at_once)
    if not options.reload:
        return handler
    from natscli.reply.python.reload import Reloading

    return Reloading(handler, source, environment)
