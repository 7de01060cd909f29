"""`pynats reply --service`: found, described and measured as any NATS service (ADR-32)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from nats.micro.service import (
    NAME_REGEX,
    EndpointInfo,
    EndpointStats,
    ServiceInfo,
    ServicePing,
    ServiceStats,
    ServiceVerb,
    control_subject,
)

from natscli.reply.service import _name_of
from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server

CLIENT = {ServiceVerb.PING: ServicePing, ServiceVerb.INFO: ServiceInfo, ServiceVerb.STATS: ServiceStats}
DESCRIBED = ("--description", "Weather for all", "--metadata", "region=eu", "--metadata", "a=b=c")


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A service name of this test's own."""
    return tmp_path.name


@pytest.fixture
def serve(spawn: Callable[..., Program], nats_server: Server, name: str) -> Callable[..., Program]:
    """`serve(*options)` is an instance of the service, listening on a subject of its name."""
    return lambda *options: spawn("reply", *(options or (name, "OK")), "--service", name, server=nats_server)


def ask(asker: Asker, verb: ServiceVerb, name: str, instance: str | None = None) -> dict[str, Any]:
    (answer,) = asker.ask(control_subject(verb, name, instance), b"")
    response = json.loads(answer.payload)
    assert isinstance(response, dict)
    return response


def stats(asker: Asker, name: str) -> EndpointStats:
    (endpoint,) = ServiceStats.from_dict(ask(asker, ServiceVerb.STATS, name)).endpoints
    assert isinstance(endpoint, EndpointStats)
    return endpoint


@pytest.mark.parametrize("verb", list(ServiceVerb))
def test_nats_py_reads_every_field_and_there_is_no_other(
    nats_server: Server, serve: Callable[..., Program], name: str, verb: ServiceVerb
) -> None:
    serve(f"{name}.*", "OK", "--service-version", "1.2.3-rc.1+x", "--endpoint", "now", *DESCRIBED)
    with Asker(nats_server) as asker:
        asker.ask(f"{name}.a", b"")
        response = ask(asker, verb, name)
    kind = CLIENT[verb]
    read = kind.from_dict(response)
    assert read.to_dict().keys() == response.keys()
    assert set(response) == {field.name for field in fields(kind)}
    assert (read.type, read.name, read.version) == (
        f"io.nats.micro.v1.{verb.value.lower()}_response",
        name,
        "1.2.3-rc.1+x",
    )
    assert read.metadata == {"region": "eu", "a": "b=c"}
    assert all(
        read.to_dict()[key] == response[key] for key in response if key not in ("started", "endpoints")
    )
    if verb is ServiceVerb.PING:
        return
    part = EndpointInfo if verb is ServiceVerb.INFO else EndpointStats
    assert [set(endpoint) for endpoint in response["endpoints"]] == [{field.name for field in fields(part)}]
    assert [endpoint.to_dict() for endpoint in read.endpoints] == response["endpoints"]
    (endpoint,) = read.endpoints
    assert (endpoint.name, endpoint.subject, endpoint.queue_group) == ("now", f"{name}.*", "q")


def test_types_are_those_of_the_adr(nats_server: Server, serve: Callable[..., Program], name: str) -> None:
    serve()
    with Asker(nats_server) as asker:
        asker.ask(name, *[b""] * 3)
        response = ask(asker, ServiceVerb.STATS, name)
        info = ask(asker, ServiceVerb.INFO, name)
    started = datetime.strptime(response["started"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert timedelta() <= datetime.now(timezone.utc) - started < timedelta(minutes=1)
    (endpoint,) = response["endpoints"]
    assert {key: type(value) for key, value in endpoint.items()} == {
        "name": str, "subject": str, "queue_group": str, "num_requests": int, "num_errors": int, "last_error": str,
        "processing_time": int, "average_processing_time": int, "data": dict,
    }  # fmt: skip
    assert (endpoint["num_requests"], endpoint["num_errors"], endpoint["last_error"]) == (3, 0, "")
    assert endpoint["average_processing_time"] == endpoint["processing_time"] // 3 > 0
    assert (info["description"], info["metadata"], info["endpoints"][0]["metadata"]) == ("", {}, {})


def test_all_of_a_name_and_one_by_its_id_are_asked(
    nats_server: Server, serve: Callable[..., Program], name: str
) -> None:
    serve()
    serve()
    with Asker(nats_server) as asker:
        for verb in ServiceVerb:
            for subject in (control_subject(verb), control_subject(verb, name)):
                asker.send(subject, b"")
                answers = [json.loads(answer.payload) for answer in asker.receive(2)]
                ids = {answer["id"] for answer in answers if answer["name"] == name}
                assert len(ids) == 2
            for instance in ids:
                assert ask(asker, verb, name, instance)["id"] == instance
        asker.send(control_subject(ServiceVerb.PING, name, "nobody"), b"")
        assert asker.receive(1)[0].header.startswith(b"NATS/1.0 503")


def test_two_instances_share_the_requests_and_count_their_own(
    nats_server: Server, serve: Callable[..., Program], name: str
) -> None:
    serve()
    serve()
    with Asker(nats_server) as asker:
        asker.ask(name, *[b""] * 100)
        asker.send(control_subject(ServiceVerb.STATS, name), b"")
        answers = [ServiceStats.from_dict(json.loads(answer.payload)) for answer in asker.receive(2)]
    counts = [answer.endpoints[0].num_requests for answer in answers]
    assert sum(counts) == 100
    assert min(counts) > 0


def test_a_failing_command_shows_in_the_statistics(
    nats_server: Server, serve: Callable[..., Program], name: str
) -> None:
    serve(f"{name}.*", "--command", "sh -c 'exit $1' sh {{1}}")
    with Asker(nats_server) as asker:
        for status in (0, 3, 0, 7):
            asker.ask(f"{name}.{status}", b"")
        counted = stats(asker, name)
    assert (counted.num_requests, counted.num_errors) == (4, 2)
    assert counted.last_error == "500:command failed: exit status 7"
    assert counted.processing_time >= counted.average_processing_time * 4 > 0


def test_a_failing_handler_shows_in_the_statistics(
    nats_server: Server, serve: Callable[..., Program], name: str, tmp_path: Path
) -> None:
    code = """from natscli import ServiceError
def answer(request):
    if request.data == b"teapot":
        raise ServiceError(418, "short and stout")
    return str(1 // len(request.data))
"""
    (tmp_path / "calc.py").write_text(code)
    serve(name, "--handler", f"{tmp_path / 'calc.py'}:answer")
    with Asker(nats_server) as asker:
        asker.ask(name, b"x")
        assert stats(asker, name).num_errors == 0
        asker.ask(name, b"")
        counted = stats(asker, name)
        assert (counted.num_requests, counted.num_errors) == (2, 1)
        assert (counted.last_error or "").startswith("500:the handler failed: ZeroDivisionError")
        asker.ask(name, b"teapot")
        counted = stats(asker, name)
    assert (counted.num_requests, counted.num_errors, counted.last_error) == (3, 2, "418:short and stout")


@pytest.mark.parametrize("later", [[], ["--sleep", "1ms"]])
def test_a_reply_that_is_too_large_shows_in_the_statistics(
    server_factory: Callable[..., Server], spawn: Callable[..., Program], later: list[str]
) -> None:
    server = server_factory("max_payload: 1000")
    spawn("reply", "double", "{{Request}}{{Request}}", "--service", "doubler", *later, server=server)
    with Asker(server) as asker:
        answers = asker.ask("double", b"x", b"y" * 600, b"z" * 700)
        assert [len(answer.payload) for answer in answers] == [2, 0, 0]
        counted = stats(asker, "doubler")
    assert (counted.num_requests, counted.num_errors) == (3, 2)
    assert counted.last_error == "500:the reply is larger than the server takes"


def test_delays_are_part_of_the_processing_time(
    nats_server: Server, serve: Callable[..., Program], name: str
) -> None:
    serve(name, "--command", "sleep 0.1")
    with Asker(nats_server) as asker:
        asker.ask(name, b"", b"")
        assert stats(asker, name).average_processing_time >= 100_000_000


def test_control_requests_are_neither_numbered_nor_shown_nor_counted(
    nats_server: Server, serve: Callable[..., Program], name: str
) -> None:
    run = serve(name, "{{Count}}", "--count", "2")
    with Asker(nats_server) as asker:
        assert asker.ask(name, b"")[0].payload == b"0"
        for _ in range(3):
            assert stats(asker, name).num_requests == 1
        assert asker.ask(name, b"")[0].payload == b"1"
    assert run.wait() == 0
    assert run.stderr_text().count("Received on") == 2
    assert "$SRV" not in run.stderr_text() + run.stdout_bytes().decode()


@pytest.mark.parametrize(
    ("subject", "endpoint"),
    [
        ("orders.*.new", "orders-new"),
        ("weather.>", "weather"),
        (">", "default"),
        ("a_b-c", "a_b-c"),
        ("ü.x", "x"),
    ],
)
def test_endpoints_are_called_as_their_subjects(subject: str, endpoint: str) -> None:
    assert _name_of(subject) == endpoint
    assert NAME_REGEX.match(endpoint)


def test_every_subject_of_a_mock_is_an_endpoint(
    nats_server: Server, serve: Callable[..., Program], name: str, tmp_path: Path
) -> None:
    file = tmp_path / "mock.jsonl"
    file.write_text(
        f'{{"subject": "{name}.a", "reply": "x"}} {{"subject": "{name}.b.*", "reply": {{"status": 404}}}}'
    )
    serve("--mock", str(file), "--queue", "mine")
    with Asker(nats_server) as asker:
        asker.ask(f"{name}.a", b"")
        asker.ask(f"{name}.b.1", b"", b"")
        response = ask(asker, ServiceVerb.STATS, name)
    shown = [
        (e["subject"], e["queue_group"], e["num_requests"], e["num_errors"]) for e in response["endpoints"]
    ]
    assert shown == [(f"{name}.a", "mine", 1, 0), (f"{name}.b.*", "mine", 2, 2)]
    assert [e["last_error"] for e in response["endpoints"]] == ["", "404:not found"]


def test_pynats_service_lists_it(
    nats_server: Server, serve: Callable[..., Program], pynats: Runner, name: str
) -> None:
    serve(name, "OK", "--service-version", "1.2.3", *DESCRIBED)
    listed = pynats("service", "info", name, "--json", server=nats_server)
    (instance,) = json.loads(listed.text)
    assert (instance["name"], instance["version"]) == (name, "1.2.3")
    assert (instance["description"], instance["metadata"]) == (
        "Weather for all",
        {"region": "eu", "a": "b=c"},
    )
    assert [endpoint["subject"] for endpoint in instance["endpoints"]] == [name]
    assert name in pynats("service", "ls", server=nats_server).text
    pinged = pynats("service", "ping", name, server=nats_server)
    assert (pinged.status, name in pinged.text) == (0, True)
    measured = pynats("service", "stats", name, server=nats_server)
    assert (measured.status, name in measured.text) == (0, True)


def test_a_service_whose_control_subjects_are_denied_ends(
    server_factory: Callable[..., Server], pynats: Runner
) -> None:
    denied = (
        'authorization { users = [{ user: u, password: p, permissions: { subscribe: { deny: "$SRV.>" } } }] }'
    )
    server = server_factory(denied)
    run = pynats("reply", "a", "OK", "--service", "x", "--user", "u", "--password", "p", server=server)
    assert run.status == 6
    assert 'Permissions Violation for Subscription to "$SRV.' in run.stderr


def test_the_start_is_logged_with_the_id(
    nats_server: Server, serve: Callable[..., Program], name: str
) -> None:
    run = serve()
    with Asker(nats_server) as asker:
        instance = ask(asker, ServiceVerb.PING, name)["id"]
    assert f'Service "{name}" 0.0.0, instance {instance}' in run.stderr_text()
    assert len(instance) == 22
