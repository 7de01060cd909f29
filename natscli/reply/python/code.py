"""The code of a handler while it answers: until it is replaced, and until its last request is answered."""

from __future__ import annotations

from collections.abc import Callable

from natscli.message.message import Message
from natscli.reply.python.importing import Loaded
from natscli.reply.python.lifespan import Lifespan
from natscli.reply.responders.responder import Batch, Done, Failure, Place


class Code:
    """Loaded code, its lifespan, and the number of requests that it answers (`running`).

    `functions` are those for the places where the responder listens, or has listened, by index. `retired` code gets no
    more requests.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.functions = loaded.functions
        self.lifespan = Lifespan(loaded.lifespan)
        self.running = 0
        self.retired = False
        self._calling: Calling | None = None

    def calling(self, done: Done, over: Callable[[Code], object]) -> Calling:
        """How requests are answered; `over` is called when retired code has answered its last."""
        calling = self._calling
        if calling is None or calling.done is not done:
            calling = self._calling = Calling(self, done, over)
        return calling

    def take_places(self, before: Code) -> dict[int, Place]:
        """Answer where the code `before` did, and at new places; gives where to listen, by the index of the function.

        A function whose endpoint is gone stays, for requests that are on their way.
        """
        ours = {one.place[:2]: one for one in self.loaded.functions}
        wanted = set(ours)
        found = [ours.pop(one.place[:2], one) for one in before.functions]
        self.functions = (*found, *ours.values())
        return {index: one.place for index, one in enumerate(self.functions) if one.place[:2] in wanted}


class Calling:
    """How `code` answers requests: its `functions` by place, and the `state` that its lifespan gave.

    Called as `done` is, which it passes on, it counts what the code answers.
    """

    def __init__(self, code: Code, done: Done, over: Callable[[Code], object]) -> None:
        self.code = code
        self.functions = tuple([one.function for one in code.functions])
        self.state = code.lifespan.state
        self.done, self._over = done, over

    def __call__(
        self, batch: Batch, replies: list[Message], failure: Failure | None, /, *, more: bool = False
    ) -> None:
        self.done(batch, replies, failure, more=more)
        if not more:
            self.code.running -= len(batch.requests)
            if self.code.retired:
                self._over(self.code)
