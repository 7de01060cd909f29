"""What a reply says of itself: status lines, acknowledgements of streams, who had it, odd headers, one too many."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.program import Program, Run, Runner
from tests.request.responders import Answer, Responders
from tests.request.terminals import run_on_terminal
from tests.servers import Server

Ask = Callable[..., Run]
HEAD = b"NATS/1.0"


PULL = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.C"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b" 404 No Messages", "404 No Messages"),
        (b" 408 Request Timeout", "408 Request Timeout"),
        (b" 409 Message Size Exceeds MaxBytes", "409 Message Size Exceeds MaxBytes"),
        (b" 400", "400"),
    ],
)
def test_a_status_line_is_an_error(ask: Ask, responders: Responders, line: bytes, shown: str) -> None:
    subject = responders(lambda request: [Answer(b"", HEAD + line + b"\r\n\r\n")])
    run = ask(subject, "x")
    assert run.status == 7
    assert f"Status: {shown}" in run.errors
    assert run.errors[-1] == f"pynats: error: the server answered with status {shown} ({subject})"
    run = ask(subject, "x", "--json")
    code, _, description = shown.partition(" ")
    assert (run.objects[0]["status"], run.objects[0]["description"]) == (int(code), description)


def test_a_status_line_below_400_is_none(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [Answer(b"", HEAD + b" 100 Idle Heartbeat\r\n\r\n")])
    run = ask(subject, "x")
    assert (run.status, "Status: 100 Idle Heartbeat" in run.errors) == (0, True)


def test_a_message_of_a_consumer_is_the_reply(pynats: Runner, streams: Server) -> None:
    """It comes with the subject of the stream, not with that of the inbox."""
    run = pynats("request", PULL, '{"batch":1,"no_wait":true}', server=streams)
    assert (run.status, "Status: 404 No Messages" in run.errors) == (7, True)
    for number in range(3):
        run = pynats("request", f"orders.{number}", f"body {number}", server=streams)
        assert run.status == 0
    run = pynats("request", PULL, "", server=streams)
    assert (run.status, run.text) == (0, "body 0\n")
    assert "Subject: orders.0" in run.errors
    run = pynats("request", PULL, '{"batch":2}', "--replies", "2", "--json", server=streams)
    assert [(r["reply"], r["data"], r["message_subject"]) for r in run.objects] == [
        (1, "body 1", "orders.1"), (2, "body 2", "orders.2"),
    ]  # fmt: skip
    assert run.objects[0]["reply_to"].startswith("$JS.ACK.ORDERS.C.")
    taken = pynats("publish", run.objects[0]["reply_to"], "+ACK", server=streams)
    assert taken.status == 0


def test_a_message_of_a_consumer_keeps_its_subject_whatever_the_inboxes_begin_with(
    pynats: Runner, streams: Server
) -> None:
    update = '{"name":"ORDERS","subjects":["invoices.>","in.*.y"]}'
    assert pynats("request", "$JS.API.STREAM.UPDATE.ORDERS", update, "--quiet", server=streams).status == 0
    for subject in ("invoices.1", "in.x.y"):
        assert pynats("request", subject, subject, server=streams).status == 0
        run = pynats("request", PULL, "", "--json", "--inbox-prefix", "in", server=streams)
        assert run.status == 0
        assert run.objects[0]["message_subject"] == run.objects[0]["data"] == subject
        assert run.objects[0]["reply_to"].startswith("$JS.ACK.ORDERS.C.")
    run = pynats("request", PULL, '{"no_wait":true}', "--json", "--inbox-prefix", "in", server=streams)
    assert run.objects[0]["status"] == 404
    assert "message_subject" not in run.objects[0]


def test_the_message_after_an_acknowledgement_is_its_reply(pynats: Runner, streams: Server) -> None:
    assert pynats("request", "orders.{{Count}}", "{{Count}}", "--count", "2", server=streams).status == 0
    run = pynats("request", PULL, "", "--json", server=streams)
    run = pynats("request", run.objects[0]["reply_to"], "+NXT", "--json", server=streams)
    assert (run.status, run.objects[0]["data"], run.objects[0]["message_subject"]) == (0, "2", "orders.2")
    run = pynats("request", run.objects[0]["reply_to"], "+ACK", "--raw", server=streams)
    assert (run.status, run.stdout) == (0, b"")


def test_each_of_many_pulls_gets_a_message_of_its_own(pynats: Runner, streams: Server) -> None:
    run = pynats("request", "orders.{{Count}}", "{{Count}}", "--count", "40", "--raw", server=streams)
    assert run.status == 0
    run = pynats("request", PULL, "", "--count", "40", "--concurrency", "8", "--json", server=streams)
    assert run.status == 0, run.stderr
    assert sorted(int(r["data"]) for r in run.objects) == list(range(1, 41))
    assert sorted(r["request"] for r in run.objects) == list(range(1, 41))
    assert all(r["rtt_ns"] > 0 for r in run.objects)


@pytest.mark.parametrize(
    "options", [(), ("--replies", "0", "--reply-timeout", "400ms"), ("--wait-for-empty",)]
)
@pytest.mark.parametrize("via", ["itself", "--upstream"])
def test_heartbeats_are_no_replies_to_a_pull(
    pynats: Runner, spawn: Callable[..., Program], streams: Server, options: tuple[str, ...], via: str
) -> None:
    if via == "--upstream":
        spawn("reply", "up.pull", "--upstream", PULL, "--timeout", "20s", server=streams)
    subject = PULL if via == "itself" else "up.pull"
    pull = '{"batch":1,"expires":20000000000,"idle_heartbeat":100000000}'
    seconds = "5s" if "0" in options else "20s"  # any number of replies is waited for that long
    program = spawn("request", subject, pull, "--timeout", seconds, "--raw", *options, server=streams)
    time.sleep(0.5)  # for some heartbeats
    assert pynats("publish", "orders.beat", "the message", server=streams).status == 0
    assert program.wait() == (4 if options == ("--wait-for-empty",) else 0)  # no empty one comes
    assert program.stdout_bytes().rstrip() == b"the message"
    assert "100" not in program.stderr_text()


def test_a_pull_that_gets_heartbeats_only_ends_with_its_status(pynats: Runner, streams: Server) -> None:
    pull = '{"batch":1,"expires":1000000000,"idle_heartbeat":100000000}'
    run = pynats("request", PULL, pull, "--timeout", "20s", server=streams)
    assert (run.status, "Status: 408 Request Timeout" in run.errors) == (7, True)


def test_a_message_that_a_stream_has_stored_is_no_error_whatever_it_says(
    pynats: Runner, streams: Server
) -> None:
    update = '{"name":"ORDERS","subjects":["orders.>"],"allow_direct":true}'
    assert pynats("request", "$JS.API.STREAM.UPDATE.ORDERS", update, "--quiet", server=streams).status == 0
    stored = [
        ("dead letter", ["-H", "Nats-Service-Error: stored", "-H", "Nats-Service-Error-Code: 500"]),
        ('{"stream":"OTHER","seq":7}', []),
        ('{"error":{"code":404,"description":"gone"},"stream":"OTHER","seq":7}', []),
    ]
    for payload, options in stored:
        assert pynats("publish", "orders.x", payload, *options, server=streams).status == 0
    for number, (payload, _) in enumerate(stored, 1):
        for subject, request in ((PULL, ""), ("$JS.API.DIRECT.GET.ORDERS", f'{{"seq":{number}}}')):
            run = pynats("request", subject, request, server=streams)
            assert (run.status, run.text) == (0, payload + "\n"), run
            assert not any("acknowledged" in line for line in run.errors)
    run = pynats("request", "$JS.API.DIRECT.GET.ORDERS", '{"seq":9}', server=streams)
    assert (run.status, "Status: 404 Message Not Found" in run.errors) == (7, True)


def test_a_consumer_is_created_for_a_subject_with_wildcards(pynats: Runner, streams: Server) -> None:
    config = '{"stream_name":"ORDERS","config":{"name":"F","filter_subject":"orders.>"}}'
    run = pynats("request", "$JS.API.CONSUMER.CREATE.ORDERS.F.orders.>", config, server=streams)
    assert (run.status, json.loads(run.text)["name"]) == (0, "F")


def test_a_message_of_a_consumer_comes_through_an_upstream_too(
    pynats: Runner, spawn: Callable[..., Program], streams: Server
) -> None:
    spawn("reply", "next.order", "--upstream", PULL, server=streams)
    for number in range(3):
        assert pynats("request", f"orders.{number}", f"body {number}", server=streams).status == 0
    run = pynats("request", "next.order", "", "--count", "3", "--concurrency", "3", "--raw", server=streams)
    assert (run.status, sorted(run.lines)) == (0, ["body 0", "body 1", "body 2"])
    run = pynats("request", "next.order", '{"batch":1,"no_wait":true}', server=streams)
    assert (run.status, "Status: 404 No Messages" in run.errors) == (7, True)


def test_an_acknowledgement_of_a_stream_is_called_one(pynats: Runner, streams: Server) -> None:
    run = pynats("request", "orders.new", "x", server=streams)
    assert (run.status, json.loads(run.stdout)) == (0, {"stream": "ORDERS", "seq": 1})
    line = "acknowledged by stream ORDERS, 1; --replies 2 waits for a responder"
    assert run.errors[-1] == line
    run = pynats("request", "orders.new", "x", "--raw", server=streams)
    assert run.errors == [line.replace(", 1;", ", 2;")]
    run = pynats("request", "orders.new", "x", "--replies", "2", "--timeout", "1s", "--raw", server=streams)
    assert (run.status, run.errors[-1]) == (4, "acknowledged by stream ORDERS, 3")
    for number, several in enumerate((("--replies", "0"), ("--first", "2")), 4):
        run = pynats("request", "orders.new", "x", *several, "--timeout", "500ms", "--raw", server=streams)
        assert (run.status, run.errors) == (0, [f"acknowledged by stream ORDERS, {number}"])
    assert pynats("request", "orders.new", "x", "--quiet", server=streams).errors == []
    run = pynats("request", "orders.new", "x", "--json", "--quiet", server=streams)
    assert json.loads(run.stdout)["acknowledged"] == {"stream": "ORDERS", "seq": 7}
    run = pynats("request", "orders.new", "x", "--count", "5", server=streams)
    assert "5 acknowledged by a stream" in run.errors[0]


def test_a_stream_does_not_satisfy_who_waits_for_responders(
    pynats: Runner, spawn: Callable[..., Program], streams: Server, responders_on: Callable[..., Responders]
) -> None:
    run = pynats("request", "orders.new", "x", "--wait-for-responders", "500ms", server=streams, within=3)
    assert (run.status, run.text) == (3, "")
    assert run.errors[-1] == (
        "pynats: error: no responders: only stream ORDERS takes the requests (orders.new)"
    )
    program = spawn(
        "request", "orders.new", "x", "--wait-for-responders", "20s", "--timeout", "300ms", "--raw",
        server=streams,
    )  # fmt: skip
    time.sleep(0.5)
    responders_on(streams)(lambda request: [b"from a responder"], subject="orders.new")
    assert program.wait() == 0
    assert program.stdout_bytes() == b"from a responder"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"error":{"code":503,"description":"no quorum"},"stream":"S","seq":0}', "503: no quorum"),
        (
            b'{"type":"io.nats.jetstream.api.v1.stream_info_response","error":'
            b'{"code":404,"err_code":10059,"description":"stream not found"}}',
            "404: stream not found",
        ),
    ],
)
def test_an_error_of_jetstream_is_an_error(
    ask: Ask, responders: Responders, payload: bytes, message: str
) -> None:
    subject = responders(lambda request: [payload])
    run = ask(subject, "x")
    assert (run.status, run.errors[-1]) == (
        7,
        f"pynats: error: JetStream answered with error {message} ({subject})",
    )


def test_an_api_response_of_the_server_is_one(pynats: Runner, streams: Server) -> None:
    run = pynats("request", "$JS.API.STREAM.INFO.NONE", "", server=streams)
    assert (run.status, "stream not found" in run.errors[-1]) == (7, True)
    assert pynats("request", "$JS.API.STREAM.INFO.ORDERS", "", "--quiet", server=streams).status == 0


def test_no_responders_names_the_subject_that_was_asked(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory('mappings { "orders.new": "orders.v2.new" }')
    run = pynats("request", "orders.new", "x", server=server)
    assert run.status == 3
    assert run.errors[-1] == "pynats: error: no responders on orders.v2.new (orders.new)"
    run = pynats("request", "orders.old", "x", server=server)
    assert run.errors[-1] == "pynats: error: no responders (orders.old)"


def test_so_do_a_proxy_its_candidate_and_verify(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory('mappings { "orders.new": "orders.v2.new" }')
    spawn("reply", "real", "x", server=server)
    spawn("reply", "p", "--upstream", "orders.new", server=server)
    compared = spawn("reply", "c", "--upstream", "real", "--candidate", "orders.new", server=server)
    run = pynats("request", "p", "x", server=server)
    assert "error 503: no responders on [orders.v2.new] ([orders.new]) (p)" in run.errors[-1]
    assert pynats("request", "c", "x", server=server).status == 0
    compared.wait_for("candidate [orders.new] differs: no responders on orders.v2.new")
    file = tmp_path / "calls.jsonl"
    file.write_text('{"subject": "orders.new", "request": "x", "reply": "y"}\n')
    run = pynats("verify", str(file), server=server)
    assert run.status == 8
    assert "no responders on orders.v2.new, 1 recorded" in run.text


@pytest.mark.parametrize(
    ("block", "status", "message"),
    [
        (b"\r\nNats-Service-Error: first\r\nNats-Service-Error: second\r\n\r\n", 7, "error: first"),
        (b"\r\nnats-service-error-code: 401\r\nNATS-SERVICE-ERROR: no\r\n\r\n", 7, "error 401: no"),
        (b"\r\nNats-Service-Error: \r\n\r\n", 7, "error"),
        (b"\r\nNats-Service-Error: caf\xe9\r\n\r\n", 7, "error: caf\\xe9"),
        (b"\r\nX-Nats-Service-Error-Not: 1\r\n\r\n", 0, ""),
    ],
    ids=["repeated", "another case", "empty", "not UTF-8", "another name"],
)
def test_odd_errors_in_headers(
    ask: Ask, responders: Responders, block: bytes, status: int, message: str
) -> None:
    subject = responders(lambda request: [Answer(b"", HEAD + block)])
    run = ask(subject, "x")
    assert run.status == status
    if status:
        assert run.errors[-1] == f"pynats: error: the service answered with {message} ({subject})"


def test_replies_beyond_those_shown_are_counted_and_said(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b"1", b"2", b"3"])
    run = ask(subject, "x")
    assert (run.status, run.text, run.errors[-1]) == (0, "1\n", "2 more replies came")
    run = ask(subject, "x", "--replies", "2")
    assert run.errors[-1] == "1 more reply came"
    assert "came" not in ask(subject, "x", "--replies", "3").errors[-1]
    run = ask(subject, "x", "--count", "20")
    assert re.search(r", \d+ more replies than asked for$", run.errors[0])


@pytest.fixture
def similar(nats_server: Server, responders: Responders) -> str:
    return responders(subject="t.where.am")


def test_on_a_terminal_no_responders_says_where_and_what_may_be_meant(
    runner: Runner, nats_server: Server, similar: str
) -> None:
    plain: dict[str, Any] = {"server": nats_server, "env": {"NO_COLOR": "1"}}
    status, output = run_on_terminal(runner, "request", "t.were.am", "x", **plain)
    assert status == 3
    lines = output.decode().splitlines()
    assert lines[-2].endswith("no responders (t.were.am)")
    assert lines[-1].endswith(
        f"hint: nobody subscribes to it on {nats_server.url}; did you mean {similar} (1 subscriber)?"
    )
    status, output = run_on_terminal(runner, "request", "zzzz.qqqq.9", "x", **plain)
    assert output.decode().splitlines()[-1].endswith(f"hint: nobody subscribes to it on {nats_server.url}")


def test_a_refusal_that_names_another_subject_is_ours(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory(
        'mappings { "orders.new": "orders.v2" }\n'
        "authorization { users: [{ user: u, password: p, permissions: "
        '{ publish: ["orders.new"], subscribe: ">" } }] }'
    )
    who = ("--user", "u", "--password", "p")
    run = pynats("request", "orders.new", "x", "--timeout", "20s", *who, server=server, within=5)
    assert (run.status, 'Publish to "orders.v2"' in run.errors[-1]) == (6, True)
