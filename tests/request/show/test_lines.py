"""What is shown of a reply, apart from what the tests of `pynats request` see."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from natscli.environment import Environment
from natscli.request.events import Prerendered, Received, Sent
from natscli.request.show.lines import renderer
from natscli.request.show.style import RequestStyle


@pytest.mark.parametrize("color", ["never", "always"])
def test_the_time_shown_is_when_it_came(color: str) -> None:
    streams = io.BytesIO(), io.BytesIO(), io.BytesIO()
    render = renderer(
        Environment(*streams, {}, color=color),
        RequestStyle(),
        many_requests=True,
        many_replies=False,
    )
    log, _ = render([Sent("x", 1, 1_600_000_000.9), Received("x", 1, 1, 1000, None, b"", 1_700_000_000.9)])
    for line, at in zip(log.splitlines(), (1_600_000_000, 1_700_000_000), strict=True):
        assert time.strftime("%H:%M:%S", time.localtime(at)).encode() in line


def test_one_stream_gets_everything_in_order(tmp_path: Path) -> None:
    with (tmp_path / "both").open("wb") as both:
        render = renderer(
            Environment(io.BytesIO(), both, both, {}), RequestStyle(), many_requests=True,
            many_replies=False,
        )  # fmt: skip
        log, data = render(
            [
                Sent("x", 1, 0.0),
                Received("x", 1, 1, 1000, None, b"a\xff", 0.0),
                Prerendered(b"a notice\n"),
                Received("x", 2, 1, 1000, b"NATS/1.0\r\nA:\x1b\r\n\r\n", b"b\n", 0.0),
            ]
        )
    assert log == b""
    assert [line.partition(b"] ")[2] or line for line in data.splitlines()] == [
        b"Sending request on [x]", b"Received with rtt 1\xc2\xb5s", b"a\xff", b"a notice",
        b"Received with rtt 1\xc2\xb5s", b"A: \\x1b", b"", b"b",
    ]  # fmt: skip


def test_a_subject_shows_no_secret_and_drives_no_terminal() -> None:
    streams = io.BytesIO(), io.BytesIO(), io.BytesIO()
    render = renderer(Environment(*streams, {}), RequestStyle(), many_requests=False, many_replies=False)
    log, _ = render([Sent("x.\x1b[2J.nats://u:secret@host", 1, 0.0)])
    assert log.endswith(b"Sending request on [x.\\x1b[2J.nats://********@host]\n")
