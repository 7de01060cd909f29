"""The addresses a server listens on, so that no development server is open to the network by accident."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to `host`."""
    import ipaddress

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listening_sockets(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports of the process's listening TCP sockets; empty where there is no /proc."""
    import ipaddress

    byte_order = -1 if sys.byteorder == "little" else 1
    found = set()
    with suppress(OSError):
        folder = f"/proc/{pid}/fd"
        targets = (os.readlink(f"{folder}/{name}") for name in os.listdir(folder))
        own = {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
            for row in rows:
                if row[3] == "0A" and row[9] in own:  # 0A: listening
                    raw, _, port = row[1].partition(":")
                    words = [bytes.fromhex(raw[i : i + 8])[::byte_order] for i in range(0, len(raw), 8)]
                    found.add((str(ipaddress.ip_address(b"".join(words))), int(port, 16)))
    return found
