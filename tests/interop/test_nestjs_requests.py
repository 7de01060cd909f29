"""NestJS 11 and 12 as responders: `request --format nestjs`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.projects import project, running
from tests.program import Runner
from tests.servers import Server, start_server


@pytest.fixture(params=["nest11", "nest12"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server on which an application of that version of NestJS answers."""
    folder: Path = project(request.param)
    with start_server() as server, running(folder, "nestjs.mjs", "serve", server.url):
        yield server


def test_a_value_comes_without_its_packet(server: Server, pynats: Runner) -> None:
    run = pynats("request", "--format", "nestjs", "sum", "[1,2]", server=server)
    assert (run.status, run.text) == (0, "3\n")


def test_a_pattern_that_is_an_object_finds_its_handler(server: Server, pynats: Runner) -> None:
    pattern = '{"op": "sum", "cmd": "by-object"}'
    run = pynats("request", "--format", "nestjs", pattern, "[1,2]", "--raw", server=server)
    assert (run.status, json.loads(run.text)) == (0, {"total": 3})


def test_all_values_are_shown_until_the_last(server: Server, pynats: Runner) -> None:
    run = pynats(
        "request", "--format", "nestjs", "several", "[1,2,3]", "--json", "--timeout", "25s", server=server
    )
    assert [record["data"] for record in run.objects] == ["10", "20", "30"]
    assert run.status == 0
    assert run.seconds < 20  # the last packet ends it, not the timeout
    run = pynats("request", "--format", "nestjs", "nothing", "[]", server=server)
    assert run.status == 0
    assert "Received with rtt" in run.stderr or "rtt" in run.errors[-1]


@pytest.mark.parametrize(("subject", "text"), [("fail", "no such thing"), ("crash", "Internal server error")])
def test_an_error_packet_is_status_7_with_and_without_the_format(
    server: Server, pynats: Runner, subject: str, text: str
) -> None:
    run = pynats("request", "--format", "nestjs", subject, "1", server=server)
    assert run.status == 7
    assert text in run.errors[-1]
    run = pynats("request", subject, f'{{"pattern":"{subject}","data":1,"id":"x"}}', server=server)
    assert run.status == 7
    assert text in run.errors[-1]


def test_many_requests_each_have_an_id(server: Server, pynats: Runner) -> None:
    run = pynats("request", "--format", "nestjs", "sum", "[{{Count}},1]", "--count", "50", "--concurrency", "16",
                 "--json", server=server)  # fmt: skip
    assert run.status == 0
    assert {record["request"]: record["data"] for record in run.objects} == {
        n: str(n + 1) for n in range(1, 51)
    }


def test_a_request_without_an_id_is_explained(server: Server, pynats: Runner) -> None:
    run = pynats("request", "sum", "[1,2]", "--timeout", "700ms", server=server)
    assert run.status == 4
    assert "1 subscribes to it and did not answer: nats.js" in run.errors[-1]
    assert "without an id is an event, which gets no reply: --format nestjs" in run.errors[-1]


def test_what_is_not_json_is_refused_before_connecting(pynats: Runner) -> None:
    run = pynats("request", "--format", "nestjs", "sum", "hello", "-s", "nats://127.0.0.1:1")
    assert run.status == 2
    assert "the payload is not JSON" in run.errors[0]
