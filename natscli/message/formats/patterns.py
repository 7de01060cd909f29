"""Patterns of NestJS that are objects, as subjects: what JavaScript makes of keys, numbers and lists."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Any

#: Characters other than letters, in the order of `localeCompare`; letters come after them.
_ORDER = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789"
#: Accents in their order: acute, grave, breve, circumflex, caron, ring, diaeresis, ...
_ACCENTS = "\u0301\u0300\u0306\u0302\u030c\u030a\u0308\u030b\u0303\u0307\u0327\u0328\u0304"
#: Letters that are sorted as others, after them.
_AS_OTHERS = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o"}
#: Numbers from here on have an exponent, and those below the other one.
_LARGE, _SMALL = 1e21, 1e-6
_WORDS = {True: "true", False: "false", None: "null"}


def route(value: Any) -> str:
    """The subject of a pattern: keys sorted, lists with their indices as keys, backslashes and quotes escaped."""
    if isinstance(value, list):
        value = {str(index): part for index, part in enumerate(value)}
    if isinstance(value, dict):
        parts = (
            f'"{_escaped(name)}":{route(part)}'
            for name, part in sorted(value.items(), key=lambda pair: _collated(pair[0]))
        )
        return f"{{{','.join(parts)}}}"
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    return _WORDS[value] if value is None or isinstance(value, bool) else _number(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    """A number as JavaScript writes it: all are floats of 64 bits."""
    try:
        number = float(value)
    except OverflowError:
        number = float("inf") if value > 0 else float("-inf")
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    if not number:
        return "0"
    if _SMALL <= abs(number) < _LARGE:
        return f"{Decimal(repr(number)):f}".removesuffix(".0")
    digits, _, exponent = repr(number).partition("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+d}"


def _collated(text: str) -> tuple[list[int], list[str], list[bool]]:
    """A key to sort by: what the characters are, then their accents, then small letters before large ones."""
    kinds: list[int] = []
    accents: list[str] = []
    large: list[bool] = []
    for character in unicodedata.normalize("NFD", text):
        if unicodedata.combining(character) and accents:
            at = _ACCENTS.find(character)
            accents[-1] += chr(at) if at >= 0 else character
            continue
        small = character.lower()
        for part in _AS_OTHERS.get(small, small):
            at = _ORDER.find(part)
            kinds.append(at if at >= 0 else len(_ORDER) + ord(part))
            accents.append("" if part == small else small)
            large.append(small != character)
    return kinds, accents, large
