"""The code of a handler while it answers: until it is replaced, and until its last request is answered."""

from __future__ import annotations

from natscli.reply.python.functions import HandlerFunction
from natscli.reply.python.importing import Loaded
from natscli.reply.python.lifespan import Lifespan


class Code:
    """Loaded code, its lifespan, and the number of requests that it answers (`running`).

    `functions` are those for the places where the responder listens, by index. `retired` code gets no more requests.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.functions = loaded.functions
        self.lifespan = Lifespan(loaded.lifespan)
        self.running = 0
        self.retired = False

    def take_places(self, before: Code) -> list[str]:
        """Answer where the code `before` did; gives what is missing or new, as lines for people.

        A place whose endpoint is gone keeps the function of before.
        """
        ours = {one.place: one for one in self.loaded.functions}
        found = list[HandlerFunction]()
        for one in before.functions:
            found.append(ours.pop(one.place, one))
        known = {one.place for one in self.loaded.functions}
        gone = [f"{one.place.subject} is still answered as before" for one in found if one.place not in known]
        self.functions = tuple(found)
        return [*gone, *(f"{place.subject} is not listened on before a restart" for place in ours)]
