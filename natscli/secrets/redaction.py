"""Keeping secrets out of everything that is shown.

Two nets: the shapes that are always secret (userinfo in a URL, nkey seeds, JWTs, creds blocks, embedded
credentials), and the exact values that this run was given (`Redactor.add`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

MASK = "********"
_REFERENCES = ("env", "op", "nsc", "file")
#: Characters of a secret that is masked wherever it is; of a shorter one nothing would be left of what it says.
_SHORT = 4
#: What the name of a secret has in it.
_WORDS = (
    r"(?:auth|token|secret|seed|pass(?:w|phrase|code|key|(?![a-z]))|pwd|cookie|(?:api|private)[-_]?key|jwt|nkey"
    r"|credential)"
)
#: What stands before a secret: `password=`, `"token": "`, `--password `, `secret '`.
_NAMED = rf"""{_WORDS}\w*["']?\s*(?:[:=]|\s)\s*["'`]?"""


@cache
def _always_secret() -> re.Pattern[str]:
    """Compiled when something is first redacted: most runs never pay for it."""
    return re.compile(
        r"""
        (?<=://) [^\s/?\#]+ (?=@)                                      # nats://user:pass@host, nats://token@host
      | \bS[OAUNCXP][A-Z2-7]{40,}\b                                  # an nkey seed
      | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?  # a JWT
      | (?<=-----BEGIN\ ) [A-Z ]+ -----.*?-----+END\ [A-Z ]+-----+    # a creds block
      | (?<=;base64,) [A-Za-z0-9+/=]+                               # embedded credentials
        """,
        re.VERBOSE | re.DOTALL,
    )


@cache
def _secret_header() -> re.Pattern[str]:
    """A header whose name says that its value is secret: `Authorization: Bearer ...`."""
    return re.compile(rf"(?is)^((?:-H|--header=)?[\w-]*{_WORDS}[\w-]*:\s*).+")


def names_a_secret(name: str) -> bool:
    """Whether what has this name is secret, by the words in it."""
    return re.search(_WORDS, name, re.IGNORECASE) is not None


#: What every shape but that of a seed has in it, and how long a seed is at least.
_MARKS, _SEED_LENGTH = ("://", "eyJ", "-----BEGIN ", ";base64,"), 42


def redact_shapes(text: str) -> str:
    """`text` with everything that looks like a secret masked, whatever its value."""
    if not any(mark in text for mark in _MARKS) and max(map(len, text.split()), default=0) < _SEED_LENGTH:
        return text  # most lines: to compile the pattern is a hundredth of the start
    return _always_secret().sub(MASK, text)


class Redactor:
    """Masks known secret values, and anything shaped like one, in whatever text goes out."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def add(self, *values: str | None) -> None:
        """Remember secret values; empty ones and references such as `env://NAME` are not secrets."""
        for value in values:
            if value and value.partition("://")[0].lower() not in _REFERENCES:
                self._values.add(value)

    def command_line(self, arguments: Sequence[str]) -> str:
        """A command line as a shell takes it, with each secret argument masked, however short it is."""
        from shlex import quote

        return " ".join(quote(self._argument(argument)) for argument in arguments)

    def _argument(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        if argument in self._values:
            return MASK
        if equals and name.startswith("-") and value in self._values:
            return f"{name}={MASK}"
        return _secret_header().sub(rf"\g<1>{MASK}", self.redact(argument))

    def redact(self, text: str) -> str:
        """`text` without any remembered value and without anything shaped like a secret."""
        for value in sorted(self._values, key=len, reverse=True):
            if len(value) >= _SHORT:
                text = text.replace(value, MASK)
            else:  # a password `x` is masked where a password is named, not in every text with an x
                text = re.sub(rf"(?i:({_NAMED})){re.escape(value)}(?!\w)", rf"\g<1>{MASK}", text)
        return redact_shapes(text)
