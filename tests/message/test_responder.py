"""Who sent a reply."""

from __future__ import annotations

import json

import pytest

from natscli.message import headers
from natscli.message.status import responder


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ((("Server", "b"), ("Nats-Service-Id", "a")), "a"),
        ((("HOSTNAME", "h"),), "h"),
        ((("Other", "x"), ("Responder", "")), ""),
        ((), ""),
    ],
)
def test_the_responder_is_named_by_a_header(pairs: tuple[tuple[str, str], ...], expected: str) -> None:
    assert responder(headers.encode(pairs) or None, b"") == expected


def test_the_responder_is_named_by_the_id_in_a_response_of_a_service() -> None:
    response = {"type": "io.nats.micro.v1.ping_response", "name": "calc", "id": "K6v1Sbhyf0uD7pVqk1RTSP"}
    assert responder(None, json.dumps(response).encode()) == "K6v1Sbhyf0uD7pVqk1RTSP"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id": "not a service"}',
        b'["io.nats.micro."]',
        b'{"type": "io.nats.micro.v1',
        b'{"a":' * 10_000 + b'"io.nats.micro."',
        b'{"io.nats.micro.": 1}',
        b'{"type": "io.nats.micro.v1.ping_response"}',
    ],
    ids=range(6),
)
def test_what_is_no_response_of_a_service_names_nobody(payload: bytes) -> None:
    assert responder(None, payload) == ""
