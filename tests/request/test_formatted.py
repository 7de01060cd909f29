"""`request --format`: what is in the packets of a framework, and when they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.program import Run
from tests.request.responders import Answers, Request, Responders

Ask = Callable[..., Run]


def packets(*parts: dict[str, Any]) -> Answers:
    """Answers as NestJS does, with the id of the request in each packet."""

    def answers(request: Request) -> list[bytes]:
        own = {"id": json.loads(request.payload)["id"]}
        return [json.dumps(part | own, separators=(",", ":")).encode() for part in parts]

    return answers


LIKE_OTHERS = [
    {"stream": "S", "seq": 1},
    {"stream": "S", "seq": 1, "error": {"code": 400, "description": "no"}},
    {"err": "field", "isDisposed": False},
    {"type": "io.nats.jetstream.api.v1.x", "error": {"code": 404, "description": "no"}},
]


@pytest.mark.parametrize("value", LIKE_OTHERS, ids=json.dumps)
@pytest.mark.parametrize(
    "options", [(), ("--wait-for-responders", "20s"), ("--expect", "error is None"), ("--query", "json")]
)
def test_a_value_is_data_whatever_it_looks_like(
    ask: Ask, responders: Responders, value: dict[str, Any], options: tuple[str, ...]
) -> None:
    subject = responders(packets({"response": value, "isDisposed": True}))
    run = ask(subject, "{}", "--format", "nestjs", *options)
    assert (run.status, json.loads(run.text)) == (0, value)
    assert "acknowledged" not in run.stderr


def test_a_value_that_looks_like_an_acknowledgement_is_none_in_json(ask: Ask, responders: Responders) -> None:
    subject = responders(packets({"response": {"stream": "S", "seq": 1}, "isDisposed": True}))
    [record] = ask(subject, "{}", "--format", "nestjs", "--json").objects
    assert (record["json"], "acknowledged" in record) == ({"stream": "S", "seq": 1}, False)


def test_a_stream_that_takes_the_request_is_one_in_a_format_too(ask: Ask, responders: Responders) -> None:
    run = ask(responders(lambda request: [b'{"stream":"S","seq":1}']), "{}", "--format", "nestjs")
    assert "acknowledged by stream S, 1" in run.stderr


def test_an_error_packet_is_an_error_for_conditions(ask: Ask, responders: Responders) -> None:
    subject = responders(packets({"err": {"code": 422, "message": "bad"}, "isDisposed": True}))
    asked = (subject, "{}", "--format", "nestjs")
    assert (ask(*asked).status, ask(*asked, "--expect", "error == '422: bad'").status) == (7, 0)
