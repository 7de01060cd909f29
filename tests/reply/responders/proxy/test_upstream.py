"""`pynats reply --upstream`: a proxy that changes nothing, between a real requester and a real service."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.message import headers
from natscli.reply.options import ReplyOptions
from natscli.reply.responders.proxy.upstream import build
from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server

HEADER = b"NATS/1.0\r\nb: 2\r\nA:1\r\nb:  3 \r\nX: \xff\r\n\r\n"


@pytest.fixture
def names(tmp_path: Path) -> tuple[str, str]:
    """Subjects of this test's own: to ask on, and of the service."""
    return f"ask.{tmp_path.name}", f"real.{tmp_path.name}"


def test_headers_and_payload_pass_both_ways_byte_for_byte(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    spawn("reply", asked, "--upstream", real, server=nats_server)
    payload = os.urandom(70_000)
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen(real)
        asker.send(asked, payload, header=HEADER)
        came = service.request()
        assert (came.header, came.payload) == (HEADER, payload)
        service.write(came.answer(HEADER, b"\0" + payload))
        (answer,) = asker.receive(1)
        assert (answer.header, answer.payload) == (HEADER, b"\0" + payload)


def test_many_requests_get_their_own_replies(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    spawn("reply", real, "{{Request}} {{Count}}", server=nats_server)
    proxy = spawn(
        "reply", asked, "--upstream", real, "--concurrency", "7", "--quiet", ready="", server=nats_server
    )
    with Asker(nats_server) as asker:
        asker.wait_for_responder(asked)
        payloads = [b"%d" % number for number in range(2000)]
        answers = asker.ask(asked, *payloads)
        assert [answer.payload.split()[0] for answer in answers] == payloads
        assert not any(answer.header for answer in answers)
    assert proxy.stop() == 0


def test_tokens_of_the_subject_can_be_a_part_of_where_to(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    spawn("reply", f"{real}.*", "to {{2}}", server=nats_server)
    spawn("reply", f"{asked}.*", "--upstream", f"{real}.{{{{2}}}}", server=nats_server)
    with Asker(nats_server) as asker:
        assert asker.ask(f"{asked}.paris", b"")[0].payload == b"to paris"


def test_a_request_with_too_few_tokens_is_not_passed_on(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str], tmp_path: Path
) -> None:
    (asked, real), file = names, tmp_path / "calls.jsonl"
    spawn("reply", f"{real}.>", "OK", server=nats_server)
    proxy = spawn(
        "reply", f"{asked}.>", "--upstream", f"{real}.{{{{3}}}}x", "--concurrency", "1", "--record", str(file),
        server=nats_server,
    )  # fmt: skip
    with Asker(nats_server) as asker:
        for _ in range(3):  # one at a time: none is waited for
            (answer,) = asker.ask(f"{asked}.a", b"x")
            assert answer.header == headers.service_error(f"too few tokens in [{asked}.a] for {{{{3}}}}", 400)
        assert asker.ask(f"{asked}.a.b", b"x")[0].payload == b"OK"
    assert proxy.stop() == 0
    assert f"[#0] too few tokens in [{asked}.a] for {{{{3}}}}" in proxy.stderr_text()
    assert "Answered 4 requests" in proxy.stderr_text()
    assert ": 3 errors, " in proxy.stderr_text()
    (kept,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert kept["subject"] == f"{real}.bx"


@pytest.mark.parametrize("option", ["--upstream", "--candidate"])
@pytest.mark.parametrize(("subject", "token"), [("x", 1), ("x.*", 3), ("x.*.y", 4)])
def test_a_token_that_no_subject_has_is_found_before_connecting(
    pynats: Runner, option: str, subject: str, token: int
) -> None:
    other = ("--upstream", "z") if option == "--candidate" else ()
    run = pynats("reply", subject, *other, option, f"z.a{{{{{token}}}}}", server="nats://127.0.0.1:1")
    assert run.status == 2
    assert run.errors == [
        f"pynats: error: a subject like {subject!r} has no token {{{{{token}}}}} ({option})"
    ]
    taken = pynats(
        "reply", f"{subject}.>", *other, option, f"z.a{{{{{token}}}}}", server="nats://127.0.0.1:1"
    )
    assert taken.status == 5


@pytest.mark.parametrize("code", ["9" * 5000, "-1", "four", ""])
def test_an_error_with_any_code_is_passed_on(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str], code: str
) -> None:
    asked, real = names
    error = ("-H", f"Nats-Service-Error-Code:{code}", "-H", "Nats-Service-Error:odd")
    spawn("reply", real, "", *error, server=nats_server)
    proxy = spawn("reply", asked, "--upstream", real, server=nats_server)
    with Asker(nats_server) as asker:
        (answer,) = asker.ask(asked, b"")
    assert answer.lines == [f"Nats-Service-Error-Code: {code}".encode(), b"Nats-Service-Error: odd"]
    assert proxy.stop() == 0
    assert ": 1 error, " in proxy.stderr_text()


def test_a_service_error_is_passed_on_as_it_is(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    error = ("-H", "nats-service-error:teapot", "-H", "Nats-Service-Error-Code:418")
    spawn("reply", real, "short and stout", *error, server=nats_server)
    spawn("reply", asked, "--upstream", real, server=nats_server)
    with Asker(nats_server) as asker:
        (answer,) = asker.ask(asked, b"")
        assert answer.lines == [b"nats-service-error: teapot", b"Nats-Service-Error-Code: 418"]
        assert answer.payload == b"short and stout"


def test_without_responders_the_requester_gets_a_503(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    proxy = spawn("reply", asked, "--upstream", real, server=nats_server)
    with Asker(nats_server) as asker:
        (answer,) = asker.ask(asked, b"x")
    assert answer.header == headers.service_error(f"no responders on [{real}]", 503)
    proxy.wait_for(f"[#0] no responders on [{real}]")


def test_a_recording_has_what_the_service_did_and_no_error_of_the_proxy(
    nats_server: Server, spawn: Callable[..., Program], runner: Runner, names: tuple[str, str], tmp_path: Path
) -> None:
    (asked, real), file = names, tmp_path / "calls.jsonl"
    proxy = spawn(
        "reply", f"{asked}.*", "--upstream", f"{real}.{{{{2}}}}.{{{{2}}}}.{{{{2}}}}", "--timeout", "500ms",
        "--record", str(file), server=nats_server,
    )  # fmt: skip
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen(f"{real}.hangs.>")
        long = "x" * ((4070 - len(real)) // 3)  # with the inbox it is more than 4096 bytes
        assert b"within 500ms" in asker.ask(f"{asked}.hangs", b"?")[0].header
        assert b"no responders on " in asker.ask(f"{asked}.gone", b"?")[0].header
        assert b"does not fit into max_control_line" in asker.ask(f"{asked}.{long}", b"?")[0].header
        assert proxy.stop() == 0
        kept = [json.loads(line) for line in file.read_text().splitlines()]
        assert [(line["subject"].split(".")[2], line["reply"], line.get("outcome")) for line in kept] == [
            ("hangs", None, None), ("gone", None, "no_responders"),
        ]  # fmt: skip
        run = runner("verify", str(file), "--timeout", "500ms", server=nats_server)
    assert (run.status, run.errors[0]) == (0, "Verified 2 exchanges: 2 held")


def test_silence_is_not_recorded_of_a_service_that_may_not_have_been_asked(
    server_factory: Callable[..., Server], spawn: Callable[..., Program], tmp_path: Path
) -> None:
    server, file = server_factory(), tmp_path / "calls.jsonl"
    options = ("--candidate", "svc.next", "--timeout", "2s", "--concurrency", "1", "--record", str(file))
    proxy = spawn("reply", "ask", "--upstream", "svc.real", *options, server=server)
    with Asker(server) as service, Asker(server) as asker:
        service.listen("svc.*")
        asker.send("ask", b"asked", b"waits for the other")
        assert service.request().payload == b"asked"
        assert len(asker.receive(2)) == 2  # they came together, and their time was over together
        asker.send("ask", b"cut off")
        assert {service.request().payload, service.request().payload} == {b"asked", b"cut off"}
    server.restart()
    proxy.wait_for("Reconnected")
    proxy.wait_for("[#2] no reply on [svc.real] within 2s")
    assert proxy.stop() == 0  # which waits a moment for the candidate
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["request"]["data"], line["reply"]) for line in kept] == [("asked", None)]
    assert "Candidate: 3 not asked" in proxy.stderr_text()


def test_faults_on_purpose_are_not_recorded_as_what_the_service_said(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str], tmp_path: Path
) -> None:
    (asked, real), file = names, tmp_path / "calls.jsonl"
    spawn("reply", real, "OK", server=nats_server)
    proxy = spawn(
        "reply", asked, "--upstream", real, "--fail", "0.3", "--drop", "0.3", "--random-seed", "1",
        "--record", str(file), server=nats_server,
    )  # fmt: skip
    with Asker(nats_server) as asker:
        asker.send(asked, *[b"x"] * 40)
        answers = asker.receive(40, timeout=2)
    assert proxy.stop() == 0
    kept = [json.loads(line)["reply"] for line in file.read_text().splitlines()]
    assert 0 < len(kept) == len([answer for answer in answers if answer.payload]) < len(answers) < 40
    assert kept == [{"data": "OK"}] * len(kept)


def test_without_a_reply_the_requester_gets_a_504_and_a_late_reply_goes_nowhere(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    proxy = spawn(
        "reply", asked, "--upstream", real, "--timeout", "2s", "--concurrency", "2", server=nats_server
    )
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen(real)
        asker.send(asked, b"1", b"2")
        first, second = service.request(), service.request()
        time.sleep(1.5)  # so long is left for the third when the time of the others is over
        asker.send(asked, b"3")
        third = service.request()
        assert third.payload == b"3"  # was passed on when the time of the others was over
        service.write(
            first.answer(b"", b"late") + third.answer(b"", b"in time") + third.answer(b"", b"again")
        )
        answers = sorted(asker.receive(3), key=lambda answer: answer.number)
        late = headers.service_error(f"no reply on [{real}] within 2s", 504)
        assert [(answer.header, answer.payload) for answer in answers] == [
            (late, b""), (late, b""), (b"", b"in time"),
        ]  # fmt: skip
        assert [answer.seconds >= 2 for answer in answers[:2]] == [True, True]
        assert second.payload == b"2"
        assert asker.receive(1, timeout=0.2) == []
    assert proxy.stop() == 0
    assert proxy.stderr_text().count("no reply on") == 2


def test_what_is_in_flight_is_answered_before_the_end(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    proxy = spawn("reply", asked, "--upstream", real, server=nats_server)
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen(real)
        asker.send(asked, b"x")
        came = service.request()
        proxy.send_signal(15)
        proxy.wait_for("Draining, requests pending: 1")
        service.write(came.answer(b"", b"OK"))
        assert [answer.payload for answer in asker.receive(1)] == [b"OK"]
    assert proxy.wait() == 0


def test_a_proxy_goes_on_after_the_server_was_away(
    server_factory: Callable[..., Server], spawn: Callable[..., Program]
) -> None:
    server = server_factory()
    spawn("reply", "real", "{{Request}}", server=server)
    proxy = spawn("reply", "ask", "--upstream", "real", "--timeout", "1s", server=server)
    with Asker(server) as asker:
        assert asker.ask("ask", b"before")[0].payload == b"before"
    server.restart()
    proxy.wait_for("Reconnected")
    with Asker(server) as asker:
        asker.wait_for_responder("real")
        assert asker.ask("ask", b"after")[0].payload == b"after"
    assert proxy.stop() == 0


@pytest.mark.parametrize(
    ("subject", "upstream", "what"),
    [
        ("a.*", "a.b", "among the subjects that are listened on"),
        ("a.b", "a.b", "among the subjects that are listened on"),
        (">", "b", "among the subjects that are listened on"),
        ("a.*", "{{0}}.b", "among the subjects that are listened on"),
        ("a.b", "x.{{Request}}", "only tokens of the subject"),
        ("a.b", "x.{{Nope}}", "only tokens of the subject"),
        ("a.b", "x.{{1", "only tokens of the subject"),
        ("a.b", "x.*", "has the wildcard"),
        ("a.b", "x..y", "no empty token"),
        ("a.b", "", "cannot be empty"),
    ],
)
def test_where_requests_cannot_be_passed_on_to_is_refused(subject: str, upstream: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        build(ReplyOptions(subject, upstream=upstream), Environment.current())
    assert caught.value.where == "--upstream"


def test_without_templates_the_subject_is_taken_literally() -> None:
    build(ReplyOptions("a.*", upstream="b.{{1}}", templates=False), Environment.current())
    build(ReplyOptions("a.*", upstream="b.{{1}}.{{0}}"), Environment.current())


def test_a_loop_is_found_before_connecting(pynats: Runner) -> None:
    run = pynats("reply", "a.>", "--upstream", "a.b", server="nats://127.0.0.1:1")
    assert run.status == 2
    (line,) = run.errors
    assert line.startswith("pynats: error: 'a.b' is among the subjects that are listened on")


def test_who_got_one_request_cannot_guess_where_another_is_answered(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    spawn("reply", asked, "--upstream", real, server=nats_server)
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen(real)
        asker.send(asked, *[b"x"] * 20)
        tokens = [service.request().reply.rpartition(b".")[2] for _ in range(20)]
    assert len(set(tokens)) == 20
    assert all(len(token) == 16 for token in tokens)
    distances = {int(b, 16) - int(a, 16) for a, b in itertools.pairwise(tokens)}
    assert len(distances) == 19


def test_the_time_of_a_request_that_waits_for_others_counts_from_its_arrival(
    nats_server: Server, spawn: Callable[..., Program], names: tuple[str, str]
) -> None:
    asked, real = names
    spawn("reply", asked, "--upstream", real, "--timeout", "500ms", "--concurrency", "1", server=nats_server)
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen(real)
        answers = asker.ask(asked, b"1", b"2", b"3", b"4")
        assert [b"504" in answer.header for answer in answers] == [True] * 4
        assert all(0.5 <= answer.seconds < 1.0 for answer in answers), answers  # one by one: up to 2 s
