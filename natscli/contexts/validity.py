"""When a user JWT is valid: since when, until when, and what is said of it at a moment."""

from __future__ import annotations

from typing import NamedTuple

from natscli.contexts.creds import claims_of
from natscli.duration import format_duration

_DAY = 86400.0
#: The last second that has a date of four digits; what is later is no limit.
_LAST = 253402300799


class Validity(NamedTuple):
    """Seconds since 1970 from which on and until when a JWT is valid; 0 without such a limit."""

    begins: float = 0.0
    ends: float = 0.0

    def problem(self, now: float) -> str:
        """Why the JWT is not valid at `now`, with the time; empty if it is."""
        if self.ends and now >= self.ends:
            return f"the user JWT expired at {_moment(self.ends)}{_distance(now - self.ends, ' ago')}"
        if self.begins > now:
            return f"the user JWT is not valid before {_moment(self.begins)}{_distance(self.begins - now, ' from now')}"
        return ""

    def limit(self, now: float) -> str:
        """Until when a valid JWT is valid; empty if there is no end."""
        return (
            f"expires at {_moment(self.ends)}{_distance(self.ends - now, ' from now')}" if self.ends else ""
        )


#: Without a JWT, or for one without limits.
ALWAYS = Validity()


def without_distance(text: str) -> str:
    """`text` without how long ago or how far away a time in it is: the same at every moment."""
    import re

    return re.sub(r"(?<=\dZ), [^,()]+ (?:ago|from now)", "", text)


def validity(jwt: str) -> Validity:
    """When `jwt` is valid, as it claims itself."""
    claims = claims_of(jwt)
    begins, ends = (claims.get(name) for name in ("nbf", "exp"))
    return Validity(_seconds(begins), _seconds(ends))


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 < value < _LAST else 0.0


def _moment(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _distance(seconds: float, end: str) -> str:
    shown = f"{seconds / _DAY:.0f} days" if seconds >= 2 * _DAY else format_duration(float(round(seconds)))
    return f", {shown}{end}"
