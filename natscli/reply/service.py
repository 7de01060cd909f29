"""A responder as a NATS service (ADR-32): what answers those who look for services, and ask for their statistics."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from natscli.duration import timestamp
from natscli.message.message import Message
from natscli.message.micro import (
    ANSWERED,
    Endpoint,
    Instance,
    Verb,
    control_subjects,
    write_response,
)
from natscli.reply.options import ReplyOptions
from natscli.reply.responders.responder import Batch, Done, Responder
from natscli.reply.routes import Route

_LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Control(Responder):
    """Answers all requests of a batch with what `describe` gives; calls `told` with them before."""

    immediate = True

    def __init__(self, describe: Callable[[], bytes], told: Callable[[list[Message]], object]) -> None:
        self._describe, self._told = describe, told

    def respond(self, batch: Batch, done: Done) -> None:
        self._told(batch.requests)
        payload = self._describe()
        done(batch, [(reply, b"", None, payload) for _, reply, _, _ in batch.requests], None)


def new_instance(options: ReplyOptions) -> Instance:
    """An instance of the service that `options` ask for, with an id of its own; it starts now."""
    return Instance(
        name=options.service or "",
        id=bytes(_LETTERS[byte % len(_LETTERS)] for byte in os.urandom(22)).decode(),
        version=options.service_version,
        metadata=dict(pair.split("=", 1) for pair in options.metadata),
        description=options.description,
        started=timestamp(time.time()),
    )


def control_routes(instance: Instance, endpoint: str, routes: Sequence[Route]) -> list[Route]:
    """The nine subjects on which `instance`, whose endpoints are what `routes` are when it is asked, is found.

    All endpoints are called `endpoint`; if that is empty, each as its subject is.
    """

    def describe(verb: Verb) -> bytes:
        endpoints = tuple(_endpoint(endpoint, route) for route in routes if not route.internal)
        return write_response(verb, replace(instance, endpoints=endpoints))

    def told(requests: list[Message]) -> None:
        for responder in {route.responder for route in routes if not route.internal}:
            responder.answered_elsewhere(requests)

    controls = {verb: Control(partial(describe, verb), told) for verb in Verb}
    return [
        Route(subject, "", controls[verb], internal=True)
        for verb, subject in control_subjects(instance.name, instance.id)
    ]


def _endpoint(name: str, route: Route) -> Endpoint:
    counted = route.statistics
    return Endpoint(
        name=name or route.name or _name_of(route.subject),
        subject=route.subject,
        queue_group=route.queue,
        num_requests=counted.finished,
        num_errors=counted.errors,
        last_error=counted.last_error,
        processing_time=counted.processing,
        average_processing_time=counted.processing // counted.finished if counted.finished else 0,
        data={ANSWERED: counted.answered},
    )


def _name_of(subject: str) -> str:
    """A subject with what a name may have (ADR-32): `orders.*.new` is `orders-new`."""
    return re.sub("[^A-Za-z0-9_]+", "-", subject).strip("-") or "default"
