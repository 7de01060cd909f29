"""From the options to the responder, with what is wrapped around it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from natscli.reply.options import ReplyOptions

if TYPE_CHECKING:
    from natscli.environment import Environment
    from natscli.reply.responders.responder import Responder


def build(options: ReplyOptions, environment: Environment) -> Responder:
    """The responder that `options` ask for, with what is wrapped around it.

    Raises:
        InputError: it cannot be made: an unknown template, a command that is not found, ...
    """
    module = import_module(f"natscli.reply.{options.responder.module}")
    responder: Responder = module.build(options, environment)
    # With --upstream what is recorded is what the real service says, which has not these faults.
    wrappers = (_with_faults, _recorded) if options.upstream is None else (_recorded, _with_faults)
    for wrapper in wrappers:
        responder = wrapper(responder, options)
    if options.format is not None:
        from natscli.message.formats import load
        from natscli.reply.responders.formatted import Formatted

        responder = Formatted(responder, load(options.format))
    return responder


def _with_faults(responder: Responder, options: ReplyOptions) -> Responder:
    if not (options.sleep or options.fail or options.drop):
        return responder
    from natscli.reply.responders.faults import wrap

    return wrap(responder, options)


def _recorded(responder: Responder, options: ReplyOptions) -> Responder:
    if options.record is None:
        return responder
    from natscli.reply.responders.record import Recorded

    return Recorded(responder, options.record)
