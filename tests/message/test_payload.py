"""Payloads from files and streams, whole and line by line."""

from __future__ import annotations

import io
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import InputError
from natscli.message import payload


def lines(stream: BinaryIO) -> list[bytes | InputError | None]:
    """What comes of a stream, the end included."""
    found: queue.Queue[bytes | InputError | None] = queue.Queue()
    taken = payload.read_lines(stream, found.put)
    shown = []
    while True:
        shown.append(found.get(timeout=10))
        taken()
        if not isinstance(shown[-1], bytes):
            return shown


def test_a_file_is_read_byte_for_byte(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "f").write_bytes(data)
    assert payload.read_file(str(tmp_path / "f")) == data


@pytest.mark.parametrize(
    ("name", "reason"), [("missing", "no such file"), (".", "is a directory"), ("a\0b", "null byte")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        payload.read_file(str(tmp_path / name))
    assert caught.value.where == "--body-file"


def test_more_than_any_server_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "LARGEST", 10)
    assert payload.read_all(io.BytesIO(b"x" * 10)) == b"x" * 10
    with pytest.raises(InputError, match="more than 10 bytes"):
        payload.read_all(io.BytesIO(b"x" * 11))
    assert isinstance(lines(io.BytesIO(b"1\n" + b"x" * 70_000))[-1], InputError)


def test_standard_input_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as write_only, open(write_only.fileno(), "rb", closefd=False) as stream:
        with pytest.raises(InputError, match="cannot read: bad file descriptor") as caught:
            payload.read_all(stream)
        assert caught.value.where == "standard input"
        last = lines(stream)[-1]
    assert isinstance(last, InputError)
    assert last.what == "cannot read: bad file descriptor"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"1\n2\n", [b"1", b"2"]),
        (b"1\n2", [b"1", b"2"]),
        (b"1\r\n2\r\n3\r", [b"1", b"2", b"3"]),
        (b"\n\n", [b"", b""]),
        (b"a\rb\n\r\r\n", [b"a\rb", b"\r"]),
        (b"\xff\0\n", [b"\xff\0"]),
    ],
)
def test_lines_lose_their_breaks_and_nothing_else(data: bytes, expected: list[bytes]) -> None:
    assert lines(io.BytesIO(data)) == [*expected, None]


@given(st.lists(st.integers(0, 200_000), max_size=5))
def test_lines_of_any_length_come_whole(sizes: list[int]) -> None:
    expected = [bytes([65 + i]) * size for i, size in enumerate(sizes)]
    assert lines(io.BytesIO(b"".join(line + b"\n" for line in expected))) == [*expected, None]


@pytest.mark.parametrize("read", [payload.read_all, lines])
def test_a_stream_that_has_nothing_for_now_is_not_at_its_end(read: Callable[[BinaryIO], object]) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def feed() -> None:
        with open(writing, "wb", buffering=0) as pipe:
            for line in (b"one\n", b"two\n"):
                time.sleep(0.1)
                pipe.write(line)
            time.sleep(0.1)

    thread = threading.Thread(target=feed)
    thread.start()
    with open(reading, "rb") as stream:
        assert read(stream) in (b"one\ntwo\n", [b"one", b"two", None])
    thread.join()


def test_the_reader_stays_at_most_so_far_ahead() -> None:
    found: queue.Queue[bytes | InputError | None] = queue.Queue()
    taken = payload.read_lines(io.BytesIO(b"x\n" * 10), found.put, ahead=3)
    for _ in range(3):
        assert found.get(timeout=10) == b"x"
    with pytest.raises(queue.Empty):
        found.get(timeout=0.05)
    for _ in range(10):
        taken()
    assert [found.get(timeout=10) for _ in range(8)] == [b"x"] * 7 + [None]
