"""The table of RTTs on a terminal."""

from __future__ import annotations

import pytest

from natscli.errors import ExitStatus, Report
from natscli.histogram import Histogram
from natscli.output.tables import Screen
from natscli.rtt.measure import Measured
from natscli.rtt.table import table


def measured(url: str, address: str, context: str = "") -> Measured:
    rtt = Histogram()
    for nanoseconds in (123_400, 151_600, 8_765_000):
        rtt.record(nanoseconds)
    return Measured(url, address, 0.0, context, rtt=rtt, jitter=112_200)


def lines(found: list[Measured], width: int) -> list[str]:
    with_contexts = any(one.context for one in found)
    shown = table(
        found, Screen(terminal=True, color=False, columns=width), with_contexts=with_contexts
    ).splitlines()
    assert max(map(len, shown)) <= width
    return shown


@pytest.mark.parametrize("context", ["", "production-eu-west-1"])
@pytest.mark.parametrize("width", [70, 80, 100, 120])
def test_no_time_is_wrapped(width: int, context: str) -> None:
    found = [measured("nats://nats.example.com:4222", "nats://192.168.100.200:4222", context)]
    shown = "\n".join(lines(found, width))
    for name in ("min", "p50", "p99", "max", "jitter", "123.4µs", "112.2µs"):
        assert f" {name} " in shown
    assert (" mean " in shown) is (" p90 " in shown) is (width >= 100)


def test_a_server_is_shown_with_its_address_unless_that_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        measured("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
        measured("nats://localhost:4222", "nats://[::1]:4222"),
    ]
    servers = [line.split("│")[1].strip() for line in lines(found, 120) if line[0] == "│"]
    assert servers == ["Server", "127.0.0.1:4222", "localhost:4222 ([::1])"]


def test_nothing_is_dropped_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "nats://a.very.long.name.example.com:4222"
    failed = Measured(url, url, 0.0, report=Report("nothing listens there", ExitStatus.CONNECTION))
    shown = lines([measured("nats://h:1", "nats://h:1"), failed], 50)
    cells = [line.split("│")[1:-1] for line in shown if line.startswith("│")]
    columns = ["".join(cell.strip() for cell in column) for column in zip(*cells, strict=True)]
    assert columns[0] == "Serverh:1a.very.long.name.example.com:4222"
    assert columns[1] == "min123.4µsfailed"
