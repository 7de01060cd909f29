"""How many examples a fuzz test tries, how long one may take, and the odd things that several of them are fed with.

`make test` tries the same 2,000 each time, so that it is a change that makes a test fail; `make fuzz` others each time.
Whole files are made by `Odd` from a seed: hypothesis, which would make them a choice at a time, needs a hundred times
as long. A failure shows what was tried.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, ParamSpec, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from natscli.errors import PynatsError
from natscli.text import visible_line

P = ParamSpec("P")
T = TypeVar("T")

#: The profile that `make fuzz` names; tests/conftest.py registers it.
PROFILE, MANY, FEW = "fuzz", 200_000, 2_000
_FUZZED = settings.get_current_profile_name() == PROFILE

#: Decorates a test. An example that takes so long is a hang.
fuzz = settings(
    max_examples=MANY if _FUZZED else FEW,
    derandomize=not _FUZZED,
    database=None,
    deadline=timedelta(seconds=10),
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def attempt(*errors: type[Exception]) -> Callable[[Callable[P, T]], Callable[P, tuple[T | None, str]]]:
    """Call something: what it returns and "", or None and what one of these `errors` says."""

    def calling(call: Callable[P, T]) -> Callable[P, tuple[T | None, str]]:
        def called(*args: P.args, **kwargs: P.kwargs) -> tuple[T | None, str]:
            try:
                return call(*args, **kwargs), ""
            except errors as error:
                text = str(error)
            assert text.strip(), "an error that says nothing"
            assert len(visible_line(text).splitlines()) == 1
            return None, text

        return called

    return calling


#: `checked(f)(...)`: what it returns, or the text of the error that a person sees.
checked = attempt(PynatsError)

_NUMBERS = ("0", "-1", "1", "7", "1.5", "-0.0", "1e999", "nan", "inf", "1_000", "٣", "9" * 30, "9" * 400, "9" * 4301,
            "0x10", "1.5.2", ".", "1e-300", "+3")  # fmt: skip
_CHARACTERS = "aZ é漢\x00\x01\t\n\r\x1b\x7f\x85\u200d\u2028\u202e\udc80\udcff👩%'\"\\/{}[]:,.*>-_$~#"
_SCALARS = (None, True, False, 0, -1, 7, 1.5, 2**63, -(2**63) - 1, 10**400, 1e308, float("inf"), float("nan"),
            "", "a", "\ud800", "\x00", "\u2028", "\x1b[2J", "a b", "\r\n", "é", "aGk=")  # fmt: skip
_INSERTED = (b"", b"\0", b"\r\n", b"\n", b'"', b"{", b"]", b"[" * 2000, b'{"a":' * 2000, b"\xff", b"\xef\xbb\xbf",
             b"\\u", b"9" * 5000, b"NaN", b"1e999", b"-", b" ", b"\x1b[2J", b",", b":", b"null",
             b"\xed\xa0\x80")  # fmt: skip


class Odd(Random):
    """Makes odd things at random."""

    def text(self, most: int = 8) -> str:
        """Any characters that an argument can have: bytes that are not UTF-8 come as surrogates."""
        return "".join(
            self.choice(_CHARACTERS) if self.random() < 0.8 else chr(self.randrange(0xD800))
            for _ in range(self.randrange(most + 1))
        )

    def made_of(self, parts: Sequence[str], most: int = 12) -> str:
        """A text put together from `parts`, with a few numbers and odd characters."""
        return "".join(
            self.choice(parts) if self.random() < 0.7 else self.choice((self.choice(_NUMBERS), self.text(3)))
            for _ in range(self.randrange(most + 1))
        )

    def some(self, make: Callable[[], T], most: int = 4) -> list[T]:
        """A list of what `make` makes."""
        return [make() for _ in range(self.randrange(most + 1))]

    def value(self, keys: Sequence[str] = (), depth: int = 3) -> Any:
        """What a JSON document can hold, and what Python takes for JSON; objects have these keys, or others."""
        kind = self.randrange(6) if depth else 0
        if kind < 3:
            return self.choice(_SCALARS) if self.random() < 0.8 else self.text()
        if kind == 3:
            return self.some(lambda: self.value(keys, depth - 1))
        return self.object(keys, depth - 1)

    def object(self, keys: Sequence[str], depth: int = 2, **more: Any) -> dict[str, Any]:
        """An object with some of these keys, and perhaps others, each with anything, and `more`."""
        names = self.some(lambda: self.choice(keys) if keys and self.random() < 0.8 else self.text(), 6)
        return {name: self.value(keys, depth) for name in names} | more

    def file(self, make: Callable[[], Any]) -> bytes:
        """A file of the values that `make` makes, as JSON, one after the other, damaged or not."""
        separator = self.choice(("\n", "\n", " ", "\r\n", "", "\n# "))
        text = separator.join(json.dumps(value) for value in self.some(make))
        return self.damaged(text.encode("utf-8", "surrogatepass"))

    def damaged(self, data: bytes) -> bytes:
        """`data` with a few bytes left out, put in or repeated; or as it is."""
        for _ in range(self.choice((0, 0, 1, 2, 3))):
            at = self.randint(0, len(data))
            until = self.randint(at, min(at + 8, len(data)))
            data = data[:at] + self.choice(_INSERTED) * self.randrange(3) + data[until:]
        return data


def odd(make: Callable[[Odd], T]) -> st.SearchStrategy[T]:
    """What `make` makes with an `Odd`."""
    return st.integers(0, 2**64 - 1).map(lambda seed: make(Odd(seed)))


#: Any text.
texts = odd(lambda odd: odd.text(30))


def made_of(*parts: str) -> st.SearchStrategy[str]:
    """Texts put together from `parts`, numbers and odd characters."""
    return odd(lambda odd: odd.made_of(parts))
