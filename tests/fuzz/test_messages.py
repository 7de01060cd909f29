"""What messages are in the eyes of a person or a framework: expressions on them, and formats."""

from __future__ import annotations

import warnings

from hypothesis import given
from hypothesis import strategies as st

from natscli.message import formats
from natscli.message.expressions import MessageView, compile_expression
from natscli.message.formats.format import Content
from tests.fuzz.examples import Odd, attempt, checked, fuzz, made_of, odd

_BLOCKS = st.sampled_from(
    [
        None,
        b"NATS/1.0\r\nA: b\r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0\r\nNats-Service-Error: \xff\r\n\r\n",
        b"x",
    ]
)


def _document(odd: Odd) -> bytes:
    """Nearly what a framework writes."""
    keys = (
        "id",
        "pattern",
        "data",
        "response",
        "isDisposed",
        "err",
        "status",
        "message",
        "headers",
        "correlation_id",
    )
    return odd.damaged(odd.file(lambda: odd.object(keys)) if odd.random() < 0.8 else odd.randbytes(30))


@fuzz
@given(
    made_of("json", '["a"]', ".get('a')", " == ", "size", " > ", "headers", "status", "error", "text", "data", " and ",
            " or ", "not ", "(", ")", "[0]", "1", "'x'", " in ", "lambda: ", "nobody", " if ", " else ", ":=", "\n"),
    odd(_document), _BLOCKS,
)  # fmt: skip
def test_an_expression_is_refused_or_true_or_says_why_not(
    text: str, payload: bytes, block: bytes | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expression, _ = checked(compile_expression)(text, MessageView.NAMES, "--expect")
    if expression is not None and "*" not in text:  # powers can take as long as they like
        why = expression.unmet(MessageView(block, payload))
        assert not why or why.startswith("expected ")


@fuzz
@given(st.sampled_from(formats.NAMES), odd(_document), _BLOCKS, st.integers(1, 3))
def test_a_format_reads_anything_or_says_why_not(
    name: str, payload: bytes, block: bytes | None, number: int
) -> None:
    kind, content = formats.load(name), Content(block, payload)
    checked(kind.request)("a.b", number, content)
    kind.read_reply(number, content)
    kind.shown(content)
    asked, _ = attempt(ValueError)(kind.read_request)(content)
    if asked is not None:
        attempt(ValueError)(kind.reply)(asked, content)
