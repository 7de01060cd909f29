"""Payloads from files and streams, whole and line by line."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import InputError
from natscli.message import payload


def lines(stream: io.BufferedIOBase | io.RawIOBase) -> list[bytes | InputError | None]:
    """What comes of a stream, the end included."""
    found: list[bytes | InputError | None] = []
    over = threading.Event()

    def on_line(line: bytes | InputError | None) -> None:
        found.append(line)
        if not isinstance(line, bytes):
            over.set()
        else:
            taken()

    ready = threading.Event()
    taken = payload.read_lines(stream, lambda line: (ready.wait(), on_line(line)))  # type: ignore[arg-type]
    ready.set()
    assert over.wait(10)
    return found


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
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with io.FileIO(fd, closefd=False) as stream:
            with pytest.raises(InputError, match="is a directory"):
                payload.read_all(stream)  # type: ignore[arg-type]
            last = lines(stream)[-1]
    finally:
        os.close(fd)
    assert isinstance(last, InputError)
    assert last.what == "cannot read: is a directory"


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


def test_the_reader_stays_at_most_so_far_ahead() -> None:
    found: list[bytes | InputError | None] = []
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream, os.fdopen(write, "wb") as sink:
        sink.write(b"x\n" * 10)
        sink.flush()
        enough = threading.Event()
        taken = payload.read_lines(
            stream, lambda line: (found.append(line), len(found) == 4 and enough.set()), ahead=3
        )
        taken()
        assert enough.wait(10)
        assert len(found) == 4
        for _ in range(7):
            taken()
        sink.close()
        for thread in threading.enumerate():
            if thread.name == "stdin":
                thread.join(10)
    assert found == [b"x"] * 10 + [None]
