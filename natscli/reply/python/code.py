"""The code of a handler while it answers: until it is replaced, and until its last request is answered."""

from __future__ import annotations

from natscli.reply.python.importing import Loaded
from natscli.reply.python.lifespan import Lifespan
from natscli.reply.responders.responder import Place


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

    def take_places(self, before: Code) -> dict[int, Place]:
        """Answer where the code `before` did, and at new places; gives where to listen, by the index of the function.

        A function whose endpoint is gone stays, for requests that are on their way.
        """
        ours = {one.place[:2]: one for one in self.loaded.functions}
        wanted = set(ours)
        found = [ours.pop(one.place[:2], one) for one in before.functions]
        self.functions = (*found, *ours.values())
        return {index: one.place for index, one in enumerate(self.functions) if one.place[:2] in wanted}
