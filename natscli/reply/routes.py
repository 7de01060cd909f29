"""What a listener serves, and how much at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from natscli.reply.responders.responder import Responder
from natscli.reply.statistics import Statistics


@dataclass(frozen=True)
class Route:
    """A subject to listen on, in a queue group or none, and what answers its requests.

    `internal` requests, such as those for statistics, are neither numbered nor shown. The listener counts in
    `statistics`, which several routes may share. `place` is the index of it among the places of the responder, `name`
    what it is called as an endpoint, if it is called anything.
    """

    subject: str
    queue: str
    responder: Responder
    internal: bool = False
    place: int = 0
    name: str = ""
    statistics: Statistics = field(default_factory=Statistics)


@dataclass(frozen=True)
class Limits:
    """Requests that may be pending, and their bytes; more are refused. Seconds to wait for the server at the end, and
    between two lines of the log that say what draining waits for.
    """

    requests: int = 16_384
    size: int = 64 * 1024 * 1024
    timeout: float = 3.0
    reminder: float = 5.0


LIMITS = Limits()
