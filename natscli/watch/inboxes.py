"""Which reply subjects are seen: few subscriptions with wildcards, and more as requesters name other inboxes."""

from __future__ import annotations

from natscli.errors import InputError
from natscli.message.subjects import check_publish_subject, covers
from natscli.text import for_programs

#: Tokens from this length on are taken for the random id of a requester.
_RANDOM = 16
#: Subscriptions that may be added to the first ones, and how long (bytes) reply subjects may be for that.
_MOST_MORE, _LONGEST = 16, 256


def pattern_of(reply: str) -> str:
    """The wildcard subject for all inboxes that begin as `reply` does before its random part; without one, itself."""
    tokens = reply.split(".")
    random = next((position for position, token in enumerate(tokens) if len(token) >= _RANDOM), None)
    if random is None or len(tokens) == 1:
        return reply
    return ".".join([*tokens[: max(random, 1)], ">"])


class Inboxes:
    """Knows the subjects that replies are seen on, and which more should be subscribed to.

    `wanted` are patterns to subscribe to, each once; `add` is called with one when the server has taken it. `unseen`
    is an example of a reply subject that is not seen.
    """

    def __init__(self, inboxes: str, subjects: tuple[str, ...] = ()) -> None:
        """Replies are seen on the pattern `inboxes`, and on `subjects`, where requests are too."""
        self.wanted: list[str] = []
        self.unseen = b""
        self._patterns: list[str] = []
        self._single: set[bytes] = set()
        self._prefixes: tuple[bytes, ...] = ()
        self._subjects = subjects
        self._considered: set[str] = set()
        self.add(inboxes)

    def add(self, pattern: str) -> None:
        """Replies on `pattern`, and nothing else, are seen from now on."""
        if self._patterns:
            self._single.add(pattern.encode())
        self._patterns.append(pattern)
        fixed = pattern.removesuffix(">")
        if fixed != pattern and "*" not in fixed:
            self._prefixes += (fixed.encode(),)

    def has(self, subject: bytes) -> bool:
        """Whether `subject` is an inbox: what is seen there is no request."""
        return subject.startswith(self._prefixes) or subject in self._single

    def sees(self, reply: bytes) -> bool:
        """Whether replies on `reply` are seen; if not, a pattern for it may be wanted."""
        if reply.startswith(self._prefixes):
            return True
        subject = for_programs(reply)
        if any(covers(pattern, subject) for pattern in (*self._patterns, *self._subjects)):
            return True
        self.unseen = reply
        if len(self._considered) < _MOST_MORE and len(reply) <= _LONGEST:
            self._consider(pattern_of(subject))
        return False

    def _consider(self, pattern: str) -> None:
        try:
            check_publish_subject(pattern.removesuffix(".>"))
        except InputError:  # what a requester may name is no limit to what it does name
            return
        if pattern not in self._considered:
            self._considered.add(pattern)
            self.wanted.append(pattern)
