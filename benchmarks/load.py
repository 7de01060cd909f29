"""The load generator: pipelined requests on one raw socket, a fixed number in flight, every reply verified.

Run as a process of its own, `python -m benchmarks.load '{"port": 4222, "subject": "x"}'`; prints one JSON
object. While the clock runs it does as little as Python can: all requests are built beforehand, a read goes
into memory that was used before, is searched once to count the replies in it, and as many new requests go out in
one write. Only afterwards is every byte parsed, strictly, and each reply held against its request: each one
has a reply inbox of its own, so a wrong, missing, duplicate or unasked reply is seen. Loopback only, and
bounded in number and time.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace

from benchmarks.wire import Wire

DIGITS = 7
MOST_REQUESTS = 10**DIGITS
#: Records larger than this are not built beforehand but sent in two pieces.
LARGE = 4096
#: So many bytes of a large payload are its own, the rest is shared by all.
PREFIX = 32
#: Unverified bytes to keep before they are verified while the clock runs: more than any case of ours brings.
BACKLOG = 512 << 20
#: Bytes of one read, and of what a reply is expected to have besides the payload of its request.
READ_SIZE, SURPLUS = 256 << 10, 200


@dataclass(frozen=True)
class Load:
    """What to send, how, and what must come back. `{i}` is the number of the request, `{digit}` its last digit."""

    port: int
    subject: str
    requests: int = 10_000
    in_flight: int = 256
    payload: str = "hello"
    #: Pad the payload to this many bytes.
    size: int = 0
    headers: list[list[str]] = field(default_factory=list)
    #: A regular expression the whole reply must match; `{payload}` is the payload of its request. What a
    #: group matches must be different in every reply.
    expect: str = "OK"
    #: Reply headers that must be there (`NAME: VALUE`).
    expect_headers: list[str] = field(default_factory=list)
    #: Stop sending after so many seconds.
    seconds: float = 60.0
    #: Give up when nothing has arrived for so long.
    patience: float = 5.0
    #: Keep listening for unasked replies for so long after the last one.
    linger: float = 0.05
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        if not (self.host == "localhost" or self.host.startswith("127.")):
            raise ValueError("the load generator only talks to loopback")
        if not 0 < self.requests < MOST_REQUESTS or self.in_flight < 1 or not 0 < self.seconds <= 600:
            raise ValueError("requests, in_flight or seconds is out of bounds")
        if self.size > LARGE and len(self.payload) + DIGITS > PREFIX:
            raise ValueError("a large payload must begin with a short text")

    def payload_of(self, number: int) -> bytes:
        """The payload of one request."""
        text = self.payload.replace("{i}", f"{number:0{DIGITS}}").encode()
        return text + b"x" * (self.size - len(text))


@dataclass
class Report:
    """What came back. `seconds` is from the first write to the arrival of the last reply."""

    sent: int = 0
    answered: int = 0
    wrong: int = 0
    missing: int = 0
    duplicates: int = 0
    unasked: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    rate: float = 0.0
    #: Microseconds from the write of a request to the read of its reply.
    latency: dict[str, float] = field(default_factory=dict)
    #: Processor time of the generator for each second of the run: 1 would be a generator that is the limit.
    busy: float = 0.0
    reads: int = 0

    @property
    def ok(self) -> bool:
        """Every request was answered once, as expected, and nothing else came."""
        return self.sent > 0 and self.answered == self.sent and not self.problems


class Verifier:
    """Parses what arrived and compares every reply with its request."""

    def __init__(self, load: Load, inbox: bytes) -> None:
        self.report = Report()
        self.arrived: dict[int, float] = {}
        self._load = load
        self._inbox = inbox
        pattern = load.expect.replace("{payload}", "(?P<payload>.*)")
        self._pattern = re.compile(pattern.encode(), re.DOTALL)
        self._group = self._pattern.groupindex.get("payload", 0)
        self._seen: dict[int, set[bytes]] = {}
        self._headers = [line.encode() for line in load.expect_headers]
        self._rest = b""
        self._needed = 0

    def feed(self, when: float, chunk: bytes) -> None:
        """Take what was read at `when`."""
        data = self._rest + chunk
        if len(data) < self._needed:
            self._rest = data
            return
        position = 0
        self._needed = 0
        while (end := data.find(b"\r\n", position)) >= 0:
            words = data[position:end].split(b" ")
            if words[0] not in (b"MSG", b"HMSG"):
                if words[0] not in (b"PING", b"PONG", b"INFO", b"+OK"):
                    self._problem(f"the server sent {bytes(data[position:end][:80])!r}")
                position = end + 2
                continue
            size = int(words[-1])
            stop = end + 2 + size
            if len(data) < stop + 2:
                self._needed = stop + 2 - position
                break
            header_size = int(words[-2]) if words[0] == b"HMSG" else 0
            header = data[end + 2 : end + 2 + header_size]
            if data[stop : stop + 2] != b"\r\n":
                self._problem(f"a message of {size} bytes has no end")
            self._reply(when, words[1], header, data[end + 2 + header_size : stop])
            position = stop + 2
        self._rest = data[position:]

    def _reply(self, when: float, subject: bytes, header: bytes, payload: bytes) -> None:
        token = subject[len(self._inbox) :]
        if not subject.startswith(self._inbox) or not token.isdigit() or int(token) >= self.report.sent:
            self.report.unasked += 1
            self._problem(f"a reply to no request, to {subject.decode(errors='replace')}")
            return
        number = int(token)
        if number in self.arrived:
            self.report.duplicates += 1
            self._problem(f"request {number} was answered again")
            return
        self.arrived[number] = when
        if not self._is_right(number, header, payload):
            self.report.wrong += 1
            self._problem(f"request {number} was answered {header[:80]!r} {payload[:80]!r}")
            return
        self.report.answered += 1

    def _is_right(self, number: int, header: bytes, payload: bytes) -> bool:
        match = self._pattern.fullmatch(payload)
        if match is None:
            return False
        if self._group and match[self._group] != self._load.payload_of(number):
            return False
        for group in range(1, self._pattern.groups + 1):
            if group == self._group:
                continue
            seen = self._seen.setdefault(group, set())
            if match[group] in seen:
                return False
            seen.add(match[group])
        lines = header.split(b"\r\n")
        return all(line in lines for line in self._headers)

    def _problem(self, text: str) -> None:
        if len(self.report.problems) < 10:
            self.report.problems.append(text)

    def finish(self, writes: list[tuple[float, int]]) -> Report:
        """The report, once everything was fed."""
        report = self.report
        report.missing = report.sent - len(self.arrived)
        if report.missing:
            first = next(number for number in range(report.sent) if number not in self.arrived)
            self._problem(f"{report.missing} requests were not answered, the first of them {first}")
        if self._rest:
            self._problem(f"the stream ends inside a message: {self._rest[:80]!r}")
        if self.arrived:
            report.seconds = max(self.arrived.values()) - writes[0][0]
            report.rate = len(self.arrived) / report.seconds
            report.latency = _latencies(writes, self.arrived)
        return report


def _latencies(writes: list[tuple[float, int]], arrived: dict[int, float]) -> dict[str, float]:
    values = []
    first = 0
    for when, total in writes:
        values += [arrived[number] - when for number in range(first, total) if number in arrived]
        first = total
    values.sort()

    def at(share: float) -> float:
        return round(values[min(len(values) - 1, int(len(values) * share))] * 1e6, 1)

    mean = round(sum(values) / len(values) * 1e6, 1)
    return {"mean": mean, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)}


def _sender(
    load: Load, inbox: bytes, send: Callable[[bytes | memoryview], None]
) -> Callable[[int, int], None]:
    """A function that sends the requests `first` to `last - 1`."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in load.headers)
    block = f"NATS/1.0\r\n{headers}\r\n".encode() if load.headers else b""
    size = len(load.payload_of(0))
    sizes = b"%d %d" % (len(block), len(block) + size) if block else b"%d" % size
    verb = b"HPUB" if block else b"PUB"

    def head(number: int) -> bytes:
        shown = load.subject.replace("{digit}", f"{number % 10}")
        subject = shown.replace("{i}", f"{number % 10_000:0{DIGITS}}").encode()
        return b"%b %b %b%0*d %b\r\n%b" % (verb, subject, inbox, DIGITS, number, sizes, block)

    if size > LARGE:
        rest = load.payload_of(0)[PREFIX:] + b"\r\n"
        small = replace(load, size=PREFIX)

        def send_large(first: int, last: int) -> None:
            for number in range(first, last):
                send(head(number) + small.payload_of(number))
                send(rest)

        return send_large

    record = len(head(0)) + size + 2
    stream = memoryview(b"".join(_records(load, head)))

    def send_small(first: int, last: int) -> None:
        send(stream[first * record : last * record])

    return send_small


def _records(load: Load, head: Callable[[int], bytes]) -> Iterator[bytes]:
    for number in range(load.requests):
        yield head(number)
        yield load.payload_of(number)
        yield b"\r\n"


def run(load: Load) -> Report:
    """Send the load, wait for the replies, verify them."""
    inbox = b"_INBOX.%b." % os.urandom(6).hex().encode()
    marker = b"MSG " + inbox
    wire = Wire(load.host, load.port, load.patience)
    wire.subscribe(inbox.decode() + "*")
    verifier = Verifier(load, inbox)
    send = _sender(load, inbox, wire.send)
    reads = Reads(wire, verifier, min(load.requests * (len(load.payload_of(0)) + SURPLUS), BACKLOG))
    gc.collect()
    gc.disable()
    try:
        busy = time.process_time()
        writes = _pump(load, wire, marker, send, reads, verifier)
        busy = time.process_time() - busy
        spent = time.perf_counter() - writes[0][0]
        _linger(wire, load.linger, reads)
    finally:
        gc.enable()
        wire.close()
    reads.verify()
    report = verifier.finish(writes)
    report.busy = busy / spent
    return report


class Reads:
    """What was read, and when, until it is verified.

    It is one block of memory, as large as is needed and written to before the clock starts: a new page from the
    system can cost more than what is read into it, above all on a virtual machine.
    """

    def __init__(self, wire: Wire, verifier: Verifier, size: int) -> None:
        self._receive = wire.socket.recv_into
        self._verifier = verifier
        self._block = bytearray(b"\1") * (size + 2 * READ_SIZE)
        self._view = memoryview(self._block)
        self._reads: list[tuple[float, int, int]] = []
        self._end = 0

    def receive(self) -> int:
        """Read once; gives how many bytes came, 0 when the server closed.

        Raises:
            OSError: nothing arrived within the timeout.
        """
        start = self._end
        if len(self._block) - start < READ_SIZE:
            self.verify()
            # What may be the beginning of something stays in front of the next read.
            self._view[:READ_SIZE] = self._view[start - READ_SIZE : start]
            start = READ_SIZE
        count = self._receive(self._view[start : start + READ_SIZE])
        self._end = start + count
        self._reads.append((time.perf_counter(), start, self._end))
        return count

    @property
    def when(self) -> float:
        """When the last read was."""
        return self._reads[-1][0]

    def count(self, text: bytes) -> int:
        """How many times `text` came to its end in the last read."""
        _, start, end = self._reads[-1]
        return self._block.count(text, max(start - len(text) + 1, 0), end)

    def endswith(self, text: bytes) -> bool:
        """Whether that is what came last."""
        return self._block.endswith(text, 0, self._end)

    def verify(self) -> None:
        """Verify what was read."""
        for when, start, end in self._reads:
            self._verifier.feed(when, bytes(self._view[start:end]))
        self._reads.clear()


def _pump(
    load: Load,
    wire: Wire,
    marker: bytes,
    send: Callable[[int, int], None],
    reads: Reads,
    verifier: Verifier,
) -> list[tuple[float, int]]:
    """Keep `in_flight` requests under way until all are answered; returns when each write was and the total."""
    total, window = load.requests, load.in_flight
    received = 0
    verifier.report.sent = sent = min(window, total)
    start = time.perf_counter()
    stop = start + load.seconds
    writes = [(start, sent)]
    send(0, sent)
    while received < sent:
        try:
            if not reads.receive():
                break
        except OSError:
            break
        now = reads.when
        arrived = reads.count(marker)  # a reply counts when its first line is here
        if reads.count(b"PING\r\n"):
            wire.send(b"PONG\r\n")
        if arrived:
            received += arrived
            goal = min(received + window, total)
            if goal > sent and now < stop:
                writes.append((now, goal))
                send(sent, goal)
                verifier.report.sent = sent = goal
    return writes


def _linger(wire: Wire, seconds: float, reads: Reads) -> None:
    """Read what is left of the last reply, and replies to no request."""
    time.sleep(seconds)
    try:
        wire.send(b"PING\r\n")
        while reads.receive() and not reads.endswith(b"PONG\r\n"):
            pass
    except OSError:
        return


def main() -> None:
    """Run the load described by the JSON object in the first argument."""
    report = run(Load(**json.loads(sys.argv[1])))
    json.dump(asdict(report) | {"ok": report.ok}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
