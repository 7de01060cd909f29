"""Output that cannot be written fast enough never holds up who answers."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from natscli.environment import Environment
from natscli.output import pump as pump_module
from natscli.output.pump import Pump, Rendered
from natscli.output.streams import never_blocks, same_target
from tests.program import until


def environment(stdout: BinaryIO, stderr: BinaryIO) -> Environment:
    return Environment(io.BytesIO(), stdout, stderr, {})


class Pipe:
    """A pipe that pumps write to; it is read when the test wants."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        self.writer = os.fdopen(writer, "wb")
        self.failures: list[Exception] = []

    def pump(self, *, lossy: bool = True) -> Pump:
        return Pump(environment(self.writer, self.writer), lossy=lossy, on_failure=self.failures.append)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (chunk := os.read(self.reader, size - len(data))):
            data += chunk
        return data

    def read_all(self) -> bytes:
        self.writer.close()
        return self.read(1 << 30)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.reader)
        with suppress(OSError):
            self.writer.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def numbered(number: int, size: int = 0) -> Callable[[], Rendered]:
    return lambda: (b"", b"%08d%b\n" % (number, b"x" * size))


def lines(first: int, last: int) -> bytes:
    return b"".join(numbered(number)()[1] for number in range(first, last))


def fill(pump: Pump) -> None:
    """Give it one message that no pipe holds, and wait until it is at work on it."""
    pump.put(lambda: (b"", b"-" * 1_000_000), 1, 1_000_000)
    until(lambda: pump._steps > 0)


def test_streams_to_one_file_are_one_target(tmp_path: Path) -> None:
    with (
        (tmp_path / "a").open("wb") as a,
        (tmp_path / "a").open("ab") as again,
        (tmp_path / "b").open("wb") as b,
    ):
        assert same_target(a, again)
        assert not same_target(a, b)
        assert not same_target(a, io.BytesIO())


def test_only_files_and_memory_never_block(tmp_path: Path, pipe: Pipe) -> None:
    with (tmp_path / "a").open("wb") as file, open(os.devnull, "wb") as null:
        assert [never_blocks(s) for s in (file, null, io.BytesIO(), pipe.writer)] == [True, True, True, False]


def test_files_are_written_at_once(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        pump = Pump(environment(out, err), lossy=True, on_failure=lambda e: None)
        pump.put(lambda: (b"log\n", b"data\n"), 1, 0)
        pump.log(b"more\n")
        assert (tmp_path / "out").read_bytes() == b"data\n"
        assert (tmp_path / "err").read_bytes() == b"log\nmore\n"
        assert threading.active_count() == 1 or "output" not in {t.name for t in threading.enumerate()}
        pump.close()


def test_everything_arrives_in_order(pipe: Pipe) -> None:
    pump = pipe.pump()
    for number in range(2000):
        pump.put(numbered(number), 1, 9)
    pump.log(b"log\n")
    pump.close()
    assert pipe.read_all() == lines(0, 2000) + b"log\n"


def test_dropped_output_is_reported_where_it_is_missing_and_nothing_waits(pipe: Pipe) -> None:
    pump = pipe.pump()
    fill(pump)
    start = time.monotonic()
    for number in range(30_000):
        pump.put(numbered(number), 1, 9)
    assert time.monotonic() - start < 5
    kept = pump_module._MOST_MESSAGES
    shown = pipe.read(1_000_000 + 9 * kept)
    assert shown == b"-" * 1_000_000 + lines(0, kept)
    notice = b"pynats: %d more were not shown: the output could not keep up\n" % (30_000 - kept)
    assert pipe.read(len(notice)) == notice
    pump.put(numbered(77), 1, 9)
    pump.close()
    assert pipe.read_all() == lines(77, 78)


def test_after_a_gap_it_goes_on_when_half_is_written(pipe: Pipe) -> None:
    pump = pipe.pump()
    fill(pump)
    most = pump_module._MOST_MESSAGES
    for number in range(most + 10):
        pump.put(numbered(number), 1, 9)
    pipe.read(1_000_000 + 9 * 100)  # there is room again, but the gap is not made short
    until(lambda: pump._messages <= most)
    pump.put(numbered(0), 1, 9)
    pipe.read(9 * (most // 2))
    until(lambda: pump._messages < most // 2)
    pump.put(numbered(1), 1, 9)
    rest = threading.Thread(target=pump.close)
    rest.start()
    pipe.read(9 * (most - 100 - most // 2))
    notice = b"pynats: 11 more were not shown: the output could not keep up\n"
    assert pipe.read(len(notice) + 9) == notice + lines(1, 2)
    rest.join()


def test_the_bytes_that_wait_are_bounded(pipe: Pipe) -> None:
    pump = pipe.pump()
    fill(pump)
    for number in range(20):
        pump.put(numbered(number, 1_000_000), 1, 1_000_000)
    assert pump._bytes <= pump_module._MOST_BYTES + 1_000_000
    assert pump._dropped > 10
    pump.close(0.01)


def test_one_that_is_not_lossy_drops_nothing_and_says_when_it_is_behind(pipe: Pipe) -> None:
    pump = pipe.pump(lossy=False)
    fill(pump)
    was_behind = pump.behind
    count = pump_module._MOST_MESSAGES + 5
    for number in range(count):
        pump.put(numbered(number), 1, 9)
    assert (was_behind, pump.behind) == (False, True)
    assert pipe.read(1_000_000 + 9 * count) == b"-" * 1_000_000 + lines(0, count)
    until(lambda: not pump.behind)
    pump.close()


def test_one_that_is_not_lossy_drops_what_would_fill_the_memory(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump_module, "_MOST_BYTES_KEPT", 5_000_000)
    pump = pipe.pump(lossy=False)
    fill(pump)
    for number in range(10):
        pump.put(numbered(number, 1_000_000), 1, 1_000_000)
    pump.log(b"the end\n")
    kept = 10 - pump.lost
    assert 3 <= kept <= 6
    end = b"pynats: %d more were not shown: the output could not keep up\nthe end\n" % pump.lost
    rest = threading.Thread(target=pump.close)
    rest.start()
    assert pipe.read(1_000_000 + kept * 1_000_009 + len(end)).endswith(end)
    rest.join()


def test_closing_gives_up_on_who_reads_nothing_but_not_on_who_reads_slowly(pipe: Pipe) -> None:
    pump = pipe.pump()
    fill(pump)
    start = time.monotonic()
    pump.close(0.2)
    assert 0.1 < time.monotonic() - start < 5
    pump.log(b"nobody sees this\n")
    pump.put(numbered(1), 1, 9)
    assert pump._messages == 1


def test_closing_reports_how_much_was_not_read(pipe: Pipe) -> None:
    log = io.BytesIO()
    pump = Pump(environment(pipe.writer, log), lossy=True, on_failure=lambda e: None)
    fill(pump)
    most = pump_module._MOST_MESSAGES
    for number in range(most + 10):
        pump.put(numbered(number), 1, 9)
    pump.close(0.1)
    assert log.getvalue() == b"pynats: %d more were not shown: the output could not keep up\n" % (most + 11)


def test_closing_waits_for_a_slow_reader(pipe: Pipe) -> None:
    pump = pipe.pump()
    pump.put(lambda: (b"", b"-" * 600_000), 1, 600_000)
    got: list[bytes] = []

    def read_slowly() -> None:
        while sum(map(len, got)) < 600_000:
            time.sleep(0.05)
            got.append(pipe.read(60_000))

    reader = threading.Thread(target=read_slowly)
    reader.start()
    pump.close(0.4)
    reader.join()
    assert sum(map(len, got)) == 600_000
    pump.log(b"after\n")  # nobody is in its way any more: written at once
    assert pipe.read(6) == b"after\n"


def test_a_reader_that_went_away_is_reported_once(pipe: Pipe) -> None:
    pump = pipe.pump()
    os.close(pipe.reader)
    for number in range(100):
        pump.put(numbered(number), 1, 9)
    until(lambda: bool(pipe.failures))
    pump.put(numbered(1), 1, 9)
    pump.close()
    assert isinstance(pump.failure, BrokenPipeError)
    assert pipe.failures == [pump.failure]


def test_a_full_disk_is_reported() -> None:
    failures: list[Exception] = []
    with open("/dev/full", "wb", buffering=0) as full:
        pump = Pump(environment(full, full), lossy=True, on_failure=failures.append)
        pump.put(numbered(1), 1, 9)
        until(lambda: bool(failures))
        pump.close()
    assert "No space left" in str(failures)


def test_a_defect_in_drawing_is_reported_not_swallowed(pipe: Pipe) -> None:
    def fail() -> Rendered:
        raise ValueError("defect")

    pump = pipe.pump()
    pump.put(fail, 1, 1)
    until(lambda: bool(pipe.failures))
    assert isinstance(pump.failure, ValueError)
    pump.close()


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer.fileno(), False)
    pump = pipe.pump()
    pump.put(lambda: (b"", b"-" * 1_000_000), 1, 1_000_000)
    assert len(pipe.read(1_000_000)) == 1_000_000
    pump.close()
    assert not pipe.failures


def test_what_is_discarded_ends_with_a_whole_line_and_what_comes_later_is_shown(pipe: Pipe) -> None:
    pump = pipe.pump(lossy=False)
    pump.put(lambda: (b"", lines(0, 100_000)), 100_000, 900_000)
    for number in range(10):
        pump.put(numbered(number), 1, 9)
    until(lambda: pump._steps > 0)
    pump.discard()
    pump.log(b"the summary\n")
    rest = threading.Thread(target=pump.close)
    rest.start()
    end = b"pynats: the rest was not shown: interrupted\nthe summary\n"
    shown = b""
    while not shown.endswith(end):
        shown += pipe.read(1)
    rest.join()
    kept = len(shown.removesuffix(end)) // 9
    assert shown == lines(0, kept) + end
    assert 0 < kept < 20_000
    assert (pump._bytes, pump._messages) == (0, 0)


def test_nothing_is_discarded_when_all_is_shown(pipe: Pipe) -> None:
    pump = pipe.pump(lossy=False)
    pump.put(numbered(1), 1, 9)
    until(lambda: not pump._messages)
    pump.discard()
    pump.put(numbered(2), 1, 9)
    pump.close()
    assert pipe.read_all() == lines(1, 3)


def test_the_log_is_taken_over_and_given_back(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        around = environment(out, err)
        before = around.sink
        pump = Pump(around, lossy=True, on_failure=lambda _: None, wrap=lambda log: b"<" + log)
        with suppress(KeyError), pump.taking_log():
            around.notice("one")
            raise KeyError
        assert around.sink == before
        around.notice("two")
    assert (tmp_path / "err").read_bytes() == b"<one\ntwo\n"


def test_a_log_that_nobody_reads_is_not_given_back(pipe: Pipe) -> None:
    pump = pipe.pump()
    with pump.taking_log():
        fill(pump)
        pump.close(0.05)
    begun = time.monotonic()
    for _ in range(3):
        pump._environment.notice("x" * 100_000)
    assert time.monotonic() - begun < 2
    pipe.read(1_000_000)


def test_what_renders_slowly_is_rendered_in_a_thread(tmp_path: Path) -> None:
    threads: list[str] = []

    def render() -> Rendered:
        threads.append(threading.current_thread().name)
        return b"", b""

    with (tmp_path / "out").open("wb") as out:
        pump = Pump(environment(out, out), lossy=False, on_failure=lambda _: None, renders_slowly=True)
        pump.put(render, 1, 1)
        pump.close()
    assert threads == ["output"]
