"""How requests ended, and what a listener calls to have requests shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from natscli.message.message import Message
from natscli.output.pump import Rendered

#: Requests of one network read, the number of the first, and when they came (seconds since 1970: they may have to
#: wait before they are shown); gives the log and the data to write.
RenderRequests = Callable[[list[Message], int, float], Rendered]


class Ending(NamedTuple):
    """How requests ended, nanoseconds after they came; with the code and the text of an error that was replied.

    `name` is `answered`, `error`, `refused` (not handled, answered with an error), `unanswered`, or
    `undelivered`: the server does not take the reply. `replies` has one for each request, or none at all. `before`
    are those that came before it, where there are several to a single request.
    """

    name: str
    duration_ns: int
    code: int = 0
    message: str = ""
    replies: Sequence[Message] = ()
    before: Sequence[Message] = ()


#: As `RenderRequests`, for requests that ended, all in the same way.
RenderEnded = Callable[[list[Message], int, float, Ending], Rendered]


class Renderers(NamedTuple):
    """Requests are shown when they come, what they were answered with when they ended; or both together then."""

    received: RenderRequests | None = None
    ended: RenderEnded | None = None


def replies_to(index: int, ending: Ending) -> Sequence[Message]:
    """All replies to the request of that index among those that ended so."""
    return [*ending.before, *ending.replies[index : index + 1]]
