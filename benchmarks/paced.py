"""An open-loop generator on one raw socket: requests at a rate, each timed from when it was due.

Run as a process of its own: `python -m benchmarks.paced` with a JSON object of `port`, `subject`, `rate` and
`requests`; prints one with the percentiles in nanoseconds. It shares no code with pynats, whose `request --rate` is
compared with it. Loopback only, and bounded in number.
"""

from __future__ import annotations

import json
import re
import select
import sys
from time import perf_counter_ns

from benchmarks.wire import Wire

MOST_REQUESTS = 1_000_000
_MESSAGE = re.compile(rb"MSG _INBOX\.paced\.(\d+) 1 (\d+)\r\n")


def run(port: int, subject: str, rate: float, requests: int, payload: str = "x") -> dict[str, int]:
    """Send `requests` at `rate` a second; how many were answered, and their latencies."""
    if not 0 < requests <= MOST_REQUESTS:
        raise ValueError("requests is out of bounds")
    wire = Wire("127.0.0.1", port)
    wire.subscribe("_INBOX.paced.*")
    body = payload.encode()
    lines = [
        b"PUB %b _INBOX.paced.%d %d\r\n%b\r\n" % (subject.encode(), i, len(body), body)
        for i in range(requests)
    ]
    start = perf_counter_ns() + 10_000_000
    due = [start + round(i * 1e9 / rate) for i in range(requests)]
    latencies: list[int] = []
    sent, data = 0, b""
    while len(latencies) < requests:
        now, first = perf_counter_ns(), sent
        while sent < requests and due[sent] <= now:
            sent += 1
        if sent > first:
            wire.send(b"".join(lines[first:sent]))
        wait = (due[sent] - perf_counter_ns()) / 1e9 if sent < requests else 5.0
        if not select.select([wire.socket], [], [], max(wait, 0.0))[0]:
            if sent == requests:
                break
            continue
        data += wire.receive()
        arrived = perf_counter_ns()
        if b"PING\r\n" in data:  # the server's own, some seconds after the start
            data = data.replace(b"PING\r\n", b"")
            wire.send(b"PONG\r\n")
        while (match := _MESSAGE.match(data)) and len(data) >= match.end() + int(match[2]) + 2:
            latencies.append(arrived - due[int(match[1])])
            data = data[match.end() + int(match[2]) + 2 :]
    wire.close()
    latencies.sort()
    found = (
        {f"p{rank}": latencies[-(-len(latencies) * rank // 100) - 1] for rank in (50, 90, 99)}
        if latencies
        else {}
    )
    return {"sent": sent, "answered": len(latencies), **found}


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
