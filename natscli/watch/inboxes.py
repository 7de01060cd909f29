"""Which reply subjects are seen: few subscriptions with wildcards, and more as requesters name other inboxes.

What a requester names is a claim. A subject is taken for an inbox, and what is seen there for replies, only below the
patterns that were known from the start, or where nobody asked to watch requests: else a request with a watched subject
as its reply subject would hide all that comes there.
"""

from __future__ import annotations

from natscli.errors import InputError
from natscli.message.subjects import IMPORTERS, check_publish_subject, covers, overlap
from natscli.text import for_programs

#: Tokens from this length on may be the random id of a requester: of digits and letters, or of letters of both cases.
_RANDOM = 16
#: Subscriptions that may be added to the first ones, and how long (bytes) reply subjects may be for that.
_MOST_MORE, _LONGEST = 16, 256


def pattern_of(reply: str) -> str:
    """The wildcard subject for all inboxes that begin as `reply` does before its random part; without one, itself."""
    tokens = reply.split(".")
    random = next((position for position, token in enumerate(tokens) if _is_random(token)), None)
    if random is None or len(tokens) == 1:
        return reply
    return ".".join([*tokens[: max(random, 1)], ">"])


def pattern_of_both(reply: str, other: str) -> str:
    """The wildcard subject for two reply subjects of as many tokens that begin alike; an empty string for others."""
    mine, others = reply.split("."), other.split(".")
    same = next((n for n, (a, b) in enumerate(zip(mine, others, strict=False)) if a != b), len(mine))
    return ".".join([*mine[:same], ">"]) if same and len(mine) == len(others) and reply != other else ""


def _is_random(token: str) -> bool:
    if len(token) < _RANDOM:
        return False
    digits = any(c.isdigit() for c in token)
    return (digits and any(c.isalpha() for c in token)) or not (token.islower() or token.isupper() or digits)


class Inboxes:
    """Knows the subjects that replies are seen on, and which more should be subscribed to.

    `first` are the patterns to begin with. `wanted` are patterns to subscribe to, each once; `add` is called with one
    when the server has taken it. `unseen` is an example of a reply subject that is not seen, `missed` the first pattern
    that would have shown the replies to a request, and was refused.
    """

    def __init__(self, inboxes: str, subjects: tuple[str, ...] = ()) -> None:
        """Replies are seen on the pattern `inboxes` and on `IMPORTERS`, and on `subjects`, where requests are too."""
        self.first = (inboxes, IMPORTERS)
        self.wanted: list[str] = []
        self.unseen = b""
        self.missed = ""
        self._refused: list[str] = []
        self._patterns = list(self.first)
        self._prefixes = tuple(p.removesuffix(">").encode() for p in self.first if "*" not in p)
        self._single: set[bytes] = set()
        self._subjects = subjects
        self._considered: list[str] = []

    def add(self, pattern: str) -> None:
        """Replies on `pattern` are seen from now on; nothing else is, unless it overlaps what is watched."""
        self._patterns.append(pattern)
        if any(overlap(pattern, subject) for subject in self._subjects):
            return
        if pattern.endswith(".>"):
            self._prefixes += (pattern[:-1].encode(),)
        else:
            self._single.add(pattern.encode())

    def remove(self, pattern: str) -> None:
        """Replies on `pattern` cannot be seen: the server refused it, perhaps on each connection again."""
        self._refused.append(pattern)
        self._patterns = [p for p in self._patterns if p != pattern]
        self._prefixes = tuple(p for p in self._prefixes if p != pattern[:-1].encode())

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
        missed = next((pattern for pattern in self._refused if covers(pattern, subject)), "")
        self.missed = self.missed or missed
        if not missed and len(self._considered) < _MOST_MORE and len(reply) <= _LONGEST:
            self._consider(subject)
        return False

    def _consider(self, subject: str) -> None:
        """Want a pattern for `subject`: by what looks random in it, or by what it shares with one that came before."""
        pattern = pattern_of(subject)
        if pattern == subject:
            alike = (pattern_of_both(subject, other) for other in self._considered)
            pattern = next(filter(None, alike), subject)
        try:
            check_publish_subject(pattern.removesuffix(".>"))
        except InputError:  # what a requester may name is no limit to what it does name
            return
        if pattern not in self._considered:
            self._considered.append(pattern)
            self.wanted.append(pattern)
