"""How requests are shown, to files, programs and people."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.environment import Environment
from natscli.message.message import Message
from natscli.reply.ended import Ending
from natscli.reply.show.requests import renderers
from natscli.request.events import Received
from natscli.request.show import json as request_json

PLAIN: Message = (b"a.b", b"inbox", None, b"hello")
RICH: Message = (b"a.b", b"inbox", b"NATS/1.0\r\nA: 1\r\nA: \xff\r\n\r\n", b"\x1b[31m\xff\0")
LOST: Message = (b"a.b", b"", None, b"bye")
#: A requester that wants to drive the terminal.
HOSTILE: Message = (
    b"a.\x1b[2J",
    b"inbox",
    b"NATS/1.0\r\nX\x1b[1m: \x1b]0;t\x07\nfake\r\n\r\n",
    b"\x1b[31m\x07red\r",
)
ANSWERED = Ending("answered", 1500)
CLOCK = rb"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d "


def environment(
    stdout: BinaryIO, stderr: BinaryIO, *, quiet: bool = False, color: str = "auto"
) -> Environment:
    return Environment(io.BytesIO(), stdout, stderr, {"TERM": "xterm"}, quiet=quiet, color=color)


def show(
    environment: Environment, *batch: Message, as_json: bool = False, first: int = 0
) -> tuple[bytes, bytes]:
    """Log and data, with the time replaced by T."""
    received, ended = renderers(environment, as_json=as_json)
    assert (received is None, ended is None) == (as_json, not as_json)
    if ended is not None:
        return ended(list(batch), first, time.time(), ANSWERED)
    assert received is not None
    log, data = received(list(batch), first, time.time())
    return re.sub(rb"(?m)^(\x1b\[2m)?" + CLOCK, rb"\1T ", log), re.sub(
        rb"(?m)^(\x1b\[2m)?" + CLOCK, rb"\1T ", data
    )


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    with (tmp_path / "file").open("wb") as file:
        yield file


@pytest.fixture
def other(tmp_path: Path) -> Iterator[BinaryIO]:
    with (tmp_path / "other").open("wb") as file:
        yield file


@pytest.fixture
def terminal() -> Iterator[BinaryIO]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    with os.fdopen(slave, "wb", buffering=0) as stream:
        yield stream
    os.close(master)


def test_the_time_shown_is_when_it_came(file: BinaryIO, other: BinaryIO, terminal: BinaryIO) -> None:
    shown = time.strftime("%H:%M:%S", time.localtime(1_700_000_000)).encode()
    for streams in ((file, file), (file, other), (terminal, terminal)):
        received = renderers(environment(*streams), as_json=False).received
        assert received is not None
        log, data = received([PLAIN], 0, 1_700_000_000.9)
        assert shown in log + data


def test_one_file_gets_the_log_and_the_payloads_in_order(file: BinaryIO) -> None:
    assert show(environment(file, file), PLAIN, RICH, LOST, first=7) == (
        b"",
        b"T [#7] Received on [a.b]\nhello\n\n"
        b"T [#8] Received on [a.b]\nA: 1\nA: \xff\n\n\x1b[31m\xff\0\n\n"
        b"T [#9] Received on [a.b] (no reply subject, not answered)\nbye\n\n",
    )


def test_two_files_get_the_log_and_the_payloads(file: BinaryIO, other: BinaryIO) -> None:
    assert show(environment(file, other), PLAIN, RICH, LOST) == (
        b"T [#0] Received on [a.b]\n"
        b"T [#1] Received on [a.b]\nA: 1\nA: \xff\n\n"
        b"T [#2] Received on [a.b] (no reply subject, not answered)\n",
        b"hello\n\x1b[31m\xff\0\nbye\n",
    )


def test_a_quiet_one_shows_payloads_only(file: BinaryIO, other: BinaryIO, terminal: BinaryIO) -> None:
    expected = (b"", b"hello\n\x1b[31m\xff\0\n")
    for stderr in (file, other, terminal):
        assert show(environment(file, stderr, quiet=True), PLAIN, RICH) == expected
    assert show(environment(terminal, terminal, quiet=True), PLAIN) == (b"", b"hello\n")


def test_json_is_one_object_a_line_with_everything_in_it(file: BinaryIO) -> None:
    log, data = show(environment(file, file), PLAIN, RICH, LOST, as_json=True, first=3)
    assert log == b""
    records = [json.loads(line) for line in data.splitlines()]
    assert {record.pop("outcome") for record in records} == {"answered"}
    assert {record.pop("duration_ns") for record in records} == {1500}
    assert [record.pop("replies") for record in records] == [[], [], []]
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record.pop("time")) for record in records
    )
    assert records == [
        {"request": 3, "subject": "a.b", "reply_to": "inbox", "headers": {}, "data": "hello",
         "encoding": "utf-8", "size": 5},
        {"request": 4, "subject": "a.b", "reply_to": "inbox", "headers": {"A": ["1", "\ufffd"]},
         "data": "G1szMW3/AA==", "encoding": "base64", "size": 7},
        {"request": 5, "subject": "a.b", "reply_to": None, "headers": {}, "data": "bye",
         "encoding": "utf-8", "size": 3},
    ]  # fmt: skip


def test_json_of_an_error_has_its_code_and_message_and_stays_one_safe_line(terminal: BinaryIO) -> None:
    ended = renderers(environment(terminal, terminal), as_json=True).ended
    assert ended is not None
    _, data = ended([HOSTILE], 0, 0.0, Ending("error", 7, 500, "no \x1b[2J\n"))
    assert data.count(b"\n") == 1
    assert b"\x1b" not in data
    found = json.loads(data)
    assert {name: found[name] for name in ("outcome", "duration_ns", "code", "message")} == {
        "outcome": "error", "duration_ns": 7, "code": 500, "message": "no \x1b[2J\n",
    }  # fmt: skip


HEADERS = st.none() | st.binary(max_size=30).map(
    lambda value: b'NATS/1.0\r\nA "\xe2\x82\xac: %b\r\nB: 1\r\n\r\n' % value
)


@given(
    st.binary(max_size=20),
    st.binary(max_size=20),
    HEADERS,
    st.binary() | st.text().map(str.encode),
    st.booleans(),
)
def test_json_of_requests_is_like_that_of_replies(
    subject: bytes, reply: bytes, header: bytes | None, payload: bytes, drawn: bool
) -> None:
    class Stream(io.BytesIO):
        def isatty(self) -> bool:
            return drawn

    ended = renderers(environment(Stream(), Stream()), as_json=True).ended
    assert ended is not None
    shown = ANSWERED._replace(replies=[(reply, b"", header, payload)])
    _, data = ended([(subject, reply, header, payload)], 1, 0.0, shown)
    assert data.count(b"\n") == 1
    assert data.isascii() or not drawn
    found = json.loads(data)
    of_reply = json.loads(
        request_json.replies(ascii_only=drawn)(Received(found["subject"], 1, 1, 1, header, payload, 0.0))
    )
    assert found.pop("reply_to") == (reply.decode("utf-8", "replace") or None)
    assert (found.pop("outcome"), found.pop("duration_ns")) == ("answered", 1500)
    (answered,) = found.pop("replies")
    assert answered == {name: found[name] for name in answered}
    assert found.keys() - answered.keys() == {"time", "subject", "request"}
    assert found == {name: value for name, value in of_reply.items() if name not in ("reply", "rtt_ns")}
    assert found["subject"] == subject.decode("utf-8", "replace")


def test_a_terminal_shows_nothing_from_the_network_as_it_is(terminal: BinaryIO) -> None:
    log, data = show(environment(terminal, terminal, color="never"), HOSTILE, LOST)
    assert log == b""
    assert data == (
        b"T [#0] Received on [a.\\x1b[2J]\nX\\x1b[1m: \\x1b]0;t\\x07\\nfake\n\n\\x1b[31m\\x07red\\r\n\n"
        b"T [#1] Received on [a.b] (no reply subject, not answered)\nbye\n\n"
    )


def test_a_terminal_for_the_log_alone_is_safe_and_the_payloads_stay_exact(
    file: BinaryIO, terminal: BinaryIO
) -> None:
    assert show(environment(file, terminal, color="never"), HOSTILE) == (
        b"T [#0] Received on [a.\\x1b[2J]\nX\\x1b[1m: \\x1b]0;t\\x07\\nfake\n\n",
        HOSTILE[3] + b"\n",
    )


def test_a_terminal_for_the_payloads_alone_is_safe_and_the_log_is_plain(
    file: BinaryIO, terminal: BinaryIO
) -> None:
    assert show(environment(terminal, file), HOSTILE, PLAIN) == (
        b"T [#0] Received on [a.\x1b[2J]\nX\x1b[1m: \x1b]0;t\x07\nfake\n\nT [#1] Received on [a.b]\n",
        b"\\x1b[31m\\x07red\\r\nhello\n",
    )


def test_a_terminal_gets_colours_and_indented_json(terminal: BinaryIO) -> None:
    message: Message = (b"{a}", b"inbox", b"NATS/1.0\r\nA: {b}\r\n\r\n", b'{"a":[1,"x"]}')
    _, data = show(environment(terminal, terminal), message, LOST)
    assert b"\x1b[2mT \x1b[0m\x1b[1m[#0] \x1b[0mReceived on \x1b[32m[{a}]\x1b[0m\n" in data
    assert b"\x1b[33m (no reply subject, not answered)\x1b[0m" in data
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", data)
    assert plain.startswith(b'T [#0] Received on [{a}]\nA: {b}\n\n{\n  "a": [\n    1,\n    "x"\n  ]\n}\n\n')


def test_colour_that_was_asked_for_goes_to_a_file(file: BinaryIO, other: BinaryIO) -> None:
    log, data = show(environment(file, other, color="always"), (b"a", b"r", None, b"[1]"))
    assert b"\x1b[32m[a]" in log
    assert b"\x1b[" in data


def test_binary_payloads_are_a_hex_dump_on_a_terminal(terminal: BinaryIO) -> None:
    _, data = show(environment(terminal, terminal, color="never"), (b"a", b"r", None, b"\xff\x00A"))
    assert re.search(rb"\n00000000  ff 00 41 +\|..A\|\n\n$", data)


def test_invalid_utf_8_in_a_subject_is_escaped_on_a_terminal(terminal: BinaryIO) -> None:
    _, data = show(environment(terminal, terminal, color="never"), (b"a.\xff", b"r", None, b""))
    assert data == b"T [#0] Received on [a.\\xff]\n\n"
