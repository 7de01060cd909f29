"""Python expressions on messages: `json["status"] == "ok"`.

They come from the command line of who runs the program, never from a file or the network. They are compiled before
anything connects, and then evaluated on an object whose attributes are their names.
"""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from functools import cached_property
from types import CodeType
from typing import Any, NamedTuple

from natscli.errors import InputError, UnexpectedError
from natscli.message import headers
from natscli.message.status import read_problem, read_status
from natscli.text import for_programs, replaced

_TOO_LONG = "a number has too many digits"
#: Characters of a value in a message.
_MOST_SHOWN = 200


class FailedExpressionError(Exception):
    """An expression could not be evaluated on a message; its text says why."""


class _Part(NamedTuple):
    """A part of a condition that `and` joins, and what of it is shown when it is not true: the left of a comparison."""

    text: str
    code: CodeType
    shown: CodeType


class Expression:
    """A compiled expression; `names` are the attributes that it uses."""

    def __init__(self, text: str, tree: ast.Expression, names: frozenset[str]) -> None:
        self.text = text
        self.names = names
        self._code = compile(tree, "<expression>", "eval")
        self._parts = [_part(node, text) for node in _joined(tree.body)]

    def value(self, view: object) -> Any:
        """What the expression gives on `view`.

        Raises:
            FailedExpressionError: an exception in it.
        """
        return self._evaluate(self._code, view)

    def is_true(self, view: object) -> bool:
        """Whether the expression is true on `view`.

        Raises:
            FailedExpressionError: an exception in it.
        """
        return self._holds(self._code, view)

    def unmet(self, view: object) -> str:
        """Why the expression is not true on `view`, with the value that it had; an empty string if it is true."""
        for part in self._parts:
            try:
                if self._holds(part.code, view):
                    continue
                return f"expected {part.text}, got {_shown(self._evaluate(part.shown, view))}"
            except FailedExpressionError as error:
                return f"expected {part.text}, got {error}"
        return ""

    def expect(self, view: object, where: str) -> UnexpectedError | None:
        """The failure of a message of `where` on which the expression is not true."""
        why = self.unmet(view)
        return UnexpectedError(why, where=where) if why else None

    def _evaluate(self, code: CodeType, view: object) -> Any:
        try:
            values = {name: getattr(view, name) for name in self.names}
            return eval(code, {"__builtins__": builtins, **values})
        except FailedExpressionError:
            raise
        except (Exception, SystemExit) as error:
            raise FailedExpressionError(_said(error)) from None

    def _holds(self, code: CodeType, view: object) -> bool:
        value = self._evaluate(code, view)
        try:
            return bool(value)
        except (Exception, SystemExit) as error:  # of any object, by any code
            raise FailedExpressionError(_said(error)) from None


def compile_expression(text: str, known: Iterable[str], where: str) -> Expression:
    """Compile `text`, which may use the `known` names and what Python has built in; `where` is its option.

    Raises:
        InputError: no expression, with the position, or one with another name.
    """
    names = frozenset(known)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        used = _free_names(tree)
        unknown = sorted(used - names - set(dir(builtins)))
        if unknown:
            raise InputError(
                f"unknown name {unknown[0]!r} in {text!r}: there are {', '.join(sorted(names))}", where=where
            )
        return Expression(text.strip(), tree, used & names)
    except SyntaxError as error:
        at = f" at character {error.offset}" if error.offset else ""
        raise InputError(f"{error.msg}{at} of {text!r}", where=where) from None
    except (ValueError, RecursionError, MemoryError):  # a zero byte; nested too deeply
        raise InputError(f"no Python expression: {text[:_MOST_SHOWN]!r}", where=where) from None


class MessageView:
    """A message as expressions see it: its attributes are their names."""

    NAMES: tuple[str, ...] = ("data", "error", "headers", "json", "size", "status", "text")

    def __init__(self, header: bytes | None, data: bytes, asked: str = "", packet: bytes = b"") -> None:
        """`asked` is the subject of the request that it answers, if it is a reply; `packet` is what holds `data`."""
        self.data = data
        self._said = packet or data
        self._header = header
        self._asked = asked

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.data)

    @cached_property
    def text(self) -> str:
        """The payload as text; bytes that are not UTF-8 are U+FFFD."""
        return for_programs(self.data)

    @cached_property
    def json(self) -> Any:
        """The payload, parsed.

        Raises:
            FailedExpressionError: it is not JSON.
        """
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError) as error:
            why = _TOO_LONG if _is_too_long(error) else _shown(self.text)
            raise FailedExpressionError(f"no JSON: {why}") from None

    @cached_property
    def headers(self) -> Headers:
        """The headers: the first value of each, by its name in any case."""
        return Headers(headers.decode(self._header))

    @cached_property
    def status(self) -> int | None:
        """The code of a status line of the server; None without one."""
        found = read_status(self._header)
        return None if found is None else found.code

    @cached_property
    def error(self) -> str | None:
        """Code and text of the error that the message is: `500: out of paper`; None if it is none."""
        problem = read_problem(self._header, self._said, self._asked)
        return None if problem is None else replaced(": ".join(filter(None, (problem.code, problem.text))))


class Headers(Mapping[str, str]):
    """Headers by their names in any case; of repeated ones the first."""

    def __init__(self, pairs: headers.Pairs) -> None:
        #: Each name with its values.
        self.lists = headers.lists_of(pairs)
        self._names = {name.lower(): name for name, _ in reversed(pairs)}
        self._values = {name.lower(): replaced(value) for name, value in reversed(pairs)}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Any:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(dict(self))


def as_bytes(value: Any) -> bytes:
    """What `--query` writes of a value: bytes and text as they are, anything else as JSON.

    Headers are objects with lists, as in the records of `--json`; sets and iterators are lists.

    Raises:
        FailedExpressionError: it is nothing that JSON has.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        text = (
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
        )
    except (Exception, SystemExit) as error:  # of any object, by any code
        raise FailedExpressionError(f"no JSON: {_no_json(error)}") from None
    return replaced(text).encode()


def _plain(value: Any) -> Any:
    """What JSON has in place of `value`. Raises TypeError."""
    if isinstance(value, Headers):
        return value.lists
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        try:
            return sorted(value)
        except TypeError:  # of several types
            return sorted(value, key=repr)
    if isinstance(value, Iterator | Collection) and not isinstance(value, bytes | bytearray | memoryview):
        return list(value)
    raise TypeError(f"{type(value).__name__} {_shown(value)}")


def _no_json(error: BaseException) -> str:
    """Why there is no JSON."""
    text = _said(error)
    if "Out of range float" in text:
        return "it has neither NaN nor infinity"
    if _is_too_long(error):
        return _TOO_LONG
    return text.removeprefix("TypeError: ").removeprefix("ValueError: ")


def _is_too_long(error: BaseException) -> bool:
    """Whether a number has more digits than Python turns into text, or reads."""
    return type(error) is ValueError and "integer string conversion" in str(error)


def _joined(node: ast.expr) -> list[ast.expr]:
    """The parts of a condition that `and` joins; one that names a value (`:=`) is not taken apart."""
    if any(isinstance(part, ast.NamedExpr) for part in ast.walk(node)):
        return [node]
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in _joined(value)]
    return [node]


def _part(node: ast.expr, text: str) -> _Part:
    shown = node.left if isinstance(node, ast.Compare) else node
    source = ast.get_source_segment(text, node) or text
    return _Part(source, *(compile(ast.Expression(part), "<expression>", "eval") for part in (node, shown)))


def _free_names(tree: ast.Expression) -> frozenset[str]:
    """Names that are used and not bound in the expression itself, by a comprehension or a lambda."""
    nodes = list(ast.walk(tree))
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return frozenset(used - bound)


def _said(error: BaseException) -> str:
    """Name and text of an exception, on one short line."""
    name = type(error).__name__
    try:
        text = " ".join(str(error)[: 2 * _MOST_SHOWN].split())
    except Exception:  # of any object, by any code
        text = ""
    return f"{name}: {_cropped(text)}" if text else name


def _shown(value: Any) -> str:
    try:
        return _cropped(repr(value))
    except (Exception, SystemExit) as error:  # of any object, by any code
        return f"a value that cannot be shown ({type(error).__name__})"


def _cropped(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
