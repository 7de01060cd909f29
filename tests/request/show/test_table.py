"""Replies to one request as a table."""

from __future__ import annotations

import io
import os
import re

import pytest
from rich.cells import cell_len

from natscli.environment import Environment
from natscli.message import headers
from natscli.request.events import Received
from natscli.request.show.table import Table


def reply(
    payload: bytes = b"", *pairs: tuple[str, str], number: int = 1, rtt_ns: int = 1_000_000
) -> Received:
    return Received("s", 1, number, rtt_ns, headers.encode(pairs) or None, payload, 0.0)


def rows(*replies: Received, color: str = "never") -> list[str]:
    table = Table(Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), {}, color=color))
    return b"".join(map(table, replies)).decode().splitlines()


def test_a_row_has_number_rtt_gap_responder_size_and_the_first_line() -> None:
    first = reply(b"one\ntwo", ("Responder", "alpha"))
    second = reply(b"x" * 1500, number=2, rtt_ns=3_500_000)
    heading, *lines = rows(first, second)
    assert heading.split() == ["#", "RTT", "gap", "responder", "size", "payload"]
    assert lines[0].split() == ["1", "1ms", "alpha", "7", "B", "one"]
    assert lines[1].split()[:5] == ["2", "3.5ms", "2.5ms", "1.5", "kB"]
    assert max(map(len, (heading, *lines))) <= 80
    assert heading.index("responder") == lines[0].index("alpha")
    assert heading.index("payload") == lines[0].index("one")


def test_nothing_from_the_network_drives_the_terminal_or_takes_more_than_its_row() -> None:
    evil = "\x1b[2J\u202e\r" * 100
    found = rows(
        reply(evil.encode(), ("Responder", "\x1b[2J\u202e" * 100)),
        reply(b"\xff\xfe" * 100),
        reply(b"a" * 399 + "é".encode()),
        reply(b"\n\n  text"),
        color="always",
    )
    plain = [re.sub(r"\x1b\[\d+m", "", line) for line in found]
    assert len(plain) == 5
    assert all(line.isprintable() and len(line) <= 80 for line in plain)
    assert plain[1].count("\\x1b[2J\\u202e") == 2
    assert "ff fe ff" in plain[2]
    assert plain[3].endswith("aaa")
    assert plain[4].endswith("text")


@pytest.mark.parametrize("columns", [50, 60, 80, 120])
def test_a_row_takes_one_line_of_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    with open(os.devnull, "rb") as stdin, open(os.devnull, "wb") as out:
        table = Table(Environment(stdin, out, io.BytesIO(), {}, color="never"))
        found = [
            table(reply(("漢字" * 500).encode(), ("Responder", "漢" * 30))),
            table(reply(("e\u0301" * 5000).encode(), ("Responder", "\t漢字" * 30), number=2)),
        ]
    lines = b"".join(found).decode().splitlines()
    assert len(lines) == 3
    assert max(map(cell_len, lines)) <= columns
    before_the_unit = [line[: line.index(" kB")] for line in lines[1:]]
    assert all("漢" in text for text in before_the_unit)
    assert len(set(map(cell_len, before_the_unit))) == 1
