#!/usr/bin/env bash
# asyncio sets TCP_NODELAY on a connected socket that it is given only if the socket was made with IPPROTO_TCP.
#
# Versions: CPython 3.10 to 3.13, Linux; nothing is installed.
# Guess: create_connection(sock=...) sets TCP_NODELAY, as create_connection(host, port) does.
# What happens: socket.socket(AF_INET, SOCK_STREAM) has the protocol 0, which asyncio does not take for TCP. Requests
# that follow small requests then wait for the delayed acknowledgement of the other side: 40 ms each.
#
# Output seen:
#   create_connection(host, port): TCP_NODELAY on
#   create_connection(sock=socket(AF_INET, SOCK_STREAM)): TCP_NODELAY off
#   create_connection(sock=socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)): TCP_NODELAY on
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/try.py" <<'PY'
import asyncio, socket


async def main() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    loop = asyncio.get_running_loop()

    async def show(name: str, **how: object) -> None:
        transport, _ = await loop.create_connection(asyncio.Protocol, **how)
        on = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        print(f"create_connection({name}): TCP_NODELAY {'on' if on else 'off'}")
        transport.close()

    async def connected(*kind: int) -> socket.socket:
        sock = socket.socket(*kind)
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        return sock

    await show("host, port", host=address[0], port=address[1])
    plain = socket.AF_INET, socket.SOCK_STREAM
    await show("sock=socket(AF_INET, SOCK_STREAM)", sock=await connected(*plain))
    named = *plain, socket.IPPROTO_TCP
    await show("sock=socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", sock=await connected(*named))
    server.close()


asyncio.run(main())
PY
python3 "$work/try.py" | tee "$work/output"
diff - "$work/output" <<'SEEN'
create_connection(host, port): TCP_NODELAY on
create_connection(sock=socket(AF_INET, SOCK_STREAM)): TCP_NODELAY off
create_connection(sock=socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)): TCP_NODELAY on
SEEN
