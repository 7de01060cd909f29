"""`request --format`: what is in the packets of a framework, and when they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from natscli.message import headers
from tests.program import Run, Runner
from tests.request.responders import Answer, Answers, Request, Responders
from tests.servers import Server

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


RECORDED: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "a value": ([{"response": {"a": 1}, "isDisposed": True}], [{"data": '{"a":1}'}]),
    "a text": ([{"response": "é", "isDisposed": True}], [{"data": '"é"'}]),
    "several values and an end": (
        [{"response": 1}, {"response": None}, {"isDisposed": True}],
        [{"data": "1"}, {"data": "null"}],
    ),
    "an error": (
        [{"err": {"status": "error", "code": 422, "message": "bad"}, "isDisposed": True}],
        [{"headers": [["Nats-Service-Error", "bad"], ["Nats-Service-Error-Code", "422"]], "data": ""}],
    ),
    "an error of its own shape, after a value": (
        [{"response": 1}, {"err": {"error": "no\nway", "statusCode": 404}, "isDisposed": True}],
        [
            {"data": "1"},
            {
                "headers": [["Nats-Service-Error", "no way"], ["Nats-Service-Error-Code", "404"]],
                "data": '{"error":"no\\nway","statusCode":404}',
            },
        ],
    ),
    "an error that is a text": (
        [{"err": "no", "isDisposed": True}],
        [{"headers": [["Nats-Service-Error", "no"]], "data": '"no"'}],
    ),
}


@pytest.mark.parametrize("kind", RECORDED)
def test_all_record_what_is_in_the_packets_and_a_mock_answers_the_same(
    runner: Runner, nats_server: Server, responders: Responders, tmp_path: Path, kind: str
) -> None:
    parts, wanted = RECORDED[kind]
    seen, own, mocked = (tmp_path / name for name in ("seen.jsonl", "own.jsonl", "mocked.jsonl"))
    form = ("--format", "nestjs", "--record")
    subject = responders(packets(*parts))
    watch = runner.spawn("watch", subject, *form, str(seen), server=nats_server, ready="Watching")
    first = runner("request", subject, "[1, 2]", *form, str(own), server=nats_server)
    assert watch.stop() == 0
    assert content_of(own) == content_of(seen) == (subject, {"data": "[1,2]"}, wanted)
    other = f"{subject}.mocked"
    own.write_text(own.read_text().replace(subject, other))
    mock = ("reply", "--mock", str(own), *form, str(mocked))
    service = runner.spawn(*mock, server=nats_server, ready="Listening")
    again = runner("request", other, "[1,2]", *form[:2], server=nats_server)
    assert (again.status, again.stdout) == (first.status, first.stdout)
    assert service.stop() == 0
    assert content_of(mocked) == (other, {"data": "[1,2]"}, wanted)


def content_of(path: Path) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The subject, the request and the replies of the only record of a file."""
    [record] = map(json.loads, path.read_text().splitlines())
    replies = record["replies"] if "replies" in record else [record["reply"]]
    kept = [{name: value for name, value in reply.items() if name != "rtt_ns"} for reply in replies]
    return record["subject"], record["request"], kept


def test_a_recording_on_stdout_is_of_what_is_in_the_packets(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    subject, how = responders(packets({"response": 3, "isDisposed": True})), ("--format", "nestjs")
    watch = runner.spawn(
        "watch", subject, *how, "--record", "-", "--count", "1", server=nats_server, ready="Watc"
    )
    run = runner("request", subject, "[1]", *how, "--record", "-", server=nats_server)
    assert watch.wait() == 0
    for record in (run.objects[0], json.loads(watch.stdout_bytes())):
        assert (record["request"], record["reply"]) == ({"data": "[1]"}, {"data": "3"})


@pytest.mark.parametrize(
    ("form", "own"),
    [
        ("faststream", [("content-type", "application/json"), ("correlation_id", "of the first")]),
        ("json", [("Content-Type", "application/json")]),
    ],
)
def test_headers_that_a_format_adds_to_every_reply_are_not_recorded(
    runner: Runner, nats_server: Server, responders: Responders, tmp_path: Path, form: str, own: headers.Pairs
) -> None:
    file, block = tmp_path / "own.jsonl", headers.encode([*own, ("A", "1")])
    subject = responders(lambda request: [Answer(b"3", block)])
    run = runner("request", subject, "1", "--format", form, "--record", str(file), server=nats_server)
    assert run.status == 0
    assert content_of(file)[2] == [{"headers": [["A", "1"]], "data": "3"}]


@pytest.mark.parametrize("form", ["json", "faststream", "raw"])
@pytest.mark.parametrize("way", [("--wait-for-empty",), ("--replies", "3")], ids=" ".join)
def test_the_empty_reply_at_the_end_is_no_value(
    ask: Ask, responders: Responders, form: str, way: tuple[str, ...]
) -> None:
    run = ask(responders(lambda request: [b"1", b"2", b""]), "{}", "--format", form, *way, "--json")
    shown = [record["data"] for record in run.objects]
    assert (run.status, shown[:2], shown[2:]) == (0, ["1", "2"], [""] if "3" in way else [])


def test_an_empty_reply_alone_is_not_json(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b""])
    assert ask(subject, "{}", "--format", "json").status == 7
    assert ask(subject, "{}", "--format", "json", "--wait-for-empty").status == 0


def test_an_empty_reply_that_is_no_packet_is_shown_once(ask: Ask, responders: Responders) -> None:
    run = ask(responders(lambda request: [b""]), "{}", "--format", "nestjs", "--json")
    assert (run.status, [record["data"] for record in run.objects]) == (0, [""])
