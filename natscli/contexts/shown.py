"""How contexts are shown: what their settings are called, and contexts as JSON."""

from __future__ import annotations

import json
from typing import Any

from natscli.contexts.format import Context, as_mapping, encode, redacted
from natscli.contexts.kinds import PARTS

#: What people read instead of the keys of the file, in the order in which `info` shows them.
LABELS = {
    "description": "Description",
    "url": "Server URLs",
    "socks_proxy": "SOCKS5 proxy",
    **{part.key: part.label for part in PARTS},
    "cert": "Certificate",
    "key": "Key",
    "ca": "CA",
    "tls_first": "TLS first",
    "inbox_prefix": "Inbox prefix",
    "jetstream_domain": "JetStream domain",
    "jetstream_api_prefix": "JetStream API prefix",
    "jetstream_event_prefix": "JetStream event prefix",
    "color_scheme": "Color scheme",
    "windows_cert_store": "Windows certificate store",
    "windows_cert_match_by": "Windows certificate match by",
    "windows_cert_match": "Windows certificate match",
    "windows_ca_certs_match": "Windows CA match",
}


#: Characters of a public key, which identifies an account, and is the name of a server without one.
_PUBLIC_KEY = 56


def short(name: str) -> str:
    """`name` as it is shown on a terminal: a public key would take the room of everything else."""
    return f"{name[:8]}…" if len(name) == _PUBLIC_KEY and name.isalnum() and name.isupper() else name


def as_json(name: str, context: Context, *, selected: bool, show_secrets: bool = False) -> dict[str, Any]:
    """The object that stands for a context in JSON: its name, then the keys of the file."""
    values = as_mapping(context if show_secrets else redacted(context))
    return {"name": name, "selected": selected} | {
        k: v for k, v in values.items() if k not in ("name", "selected")
    }


def to_json(value: Any, *, ascii_only: bool = False) -> str:
    """`value` as indented JSON with a line end, in the style of the Go CLI; `ascii_only` for terminals."""
    text = encode(value).decode()
    if ascii_only:
        text = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    return f"{text}\n"
