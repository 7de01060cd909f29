"""What nats-server says when it does not permit something."""

from __future__ import annotations

import re
from typing import Any

from natscli.frozen import Frozen
from natscli.text import exact_bytes

#: `Permissions Violation for Subscription to "svc.a" using queue "q" (sid "1")`; the sid only when permissions change.
_TEXT = (
    r'(?i)permissions violation for (publish|subscription)[^"]* to "(.*?)"'
    r'(?: using queue "(.*?)")?(?: \(sid "(\d+)"\))?$'
)


class Refusal(Frozen):
    """What is not permitted: to publish to `subject`, or a `subscription` to it, in a `queue` group or none."""

    subscription: bool
    subject: str
    queue: str = ""
    sid: int = 0

    def takes(self, subscription: Any) -> bool:
        """Whether it is this subscription of nats-py that is gone."""
        if not self.subscription:
            return False
        if self.sid:
            return bool(subscription._id == self.sid)
        return (subscription.subject.lower(), (subscription.queue or "").lower()) == (
            self.subject.lower(),
            self.queue.lower(),
        )


def read(text: str) -> Refusal | None:
    """The refusal in the server's words; None if they are about something else."""
    found = re.search(_TEXT, text.strip("'"))
    if found is None:
        return None
    kind, subject, queue, sid = found.groups()
    return Refusal(kind.lower() == "subscription", subject, queue or "", int(sid or 0))


def refused_subject(text: str) -> bytes | None:
    """The subject, in lower case, of what the server says in `text` that it did not publish; None for anything else.

    Where only public names of nats-py are used, it comes in lower case.
    """
    refusal = read(text)
    return exact_bytes(refusal.subject).lower() if refusal is not None and not refusal.subscription else None


def number_of(subscription: Any) -> int:
    """The number that nats-py has given a subscription, as the server knows it."""
    number: int = subscription._id
    return number
