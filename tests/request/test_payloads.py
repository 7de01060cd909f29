"""What is sent: from arguments, files and standard input, with templates; and what comes back, byte for byte."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Program, Run, Runner
from tests.request.responders import Answer, Responders, silent
from tests.request.terminals import run_on_terminal
from tests.servers import Server

Ask = Callable[..., Run]

PAYLOADS = {
    "nothing": b"",
    "a line": b"line\n",
    "no line": b"line",
    "an empty line": b"\n",
    "every byte": bytes(range(256)),
    "a template": b"{{Count}} {{Nope}}",
    "200 kB": os.urandom(200_000),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_what_goes_in_comes_out(ask: Ask, responders: Responders, payload: bytes) -> None:
    run = ask(responders(), "--raw", stdin=payload)
    assert (run.status, run.stdout, run.stderr) == (0, payload, "")
    assert responders.requests[0].payload == payload


def test_the_largest_payload_goes_through_files(
    pynats: Runner, nats_server: Server, responders: Responders, tmp_path: Path
) -> None:
    payload = os.urandom(1024 * 1024)
    (tmp_path / "in").write_bytes(payload)
    run = pynats("request", responders(), "--raw", "--body-file", str(tmp_path / "in"), server=nats_server)
    assert (run.status, run.stdout) == (0, payload)


def test_raw_is_exact_also_where_colour_is_wanted(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b'{"a":1}'])
    assert ask(subject, "", "--raw", "--color", "always").stdout == b'{"a":1}'
    assert ask(subject, "", env={"CLICOLOR_FORCE": "1"}).stdout == b'{"a":1}\n'


def test_several_raw_replies_are_separated_by_newlines(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b"1", b"", b"3\n"])
    assert ask(subject, "x", "--raw", "--replies", "3").stdout == b"1\n\n3\n\n"
    subject = responders()
    assert ask(subject, "{{Count}}", "--raw", "--count", "2").stdout == b"1\n2\n"


def test_an_empty_argument_is_an_empty_payload(ask: Ask, responders: Responders) -> None:
    assert ask(responders(), "", stdin=b"not this").status == 0
    assert responders.requests[0].payload == b""


def test_an_argument_is_sent_and_standard_input_left_alone(ask: Ask, responders: Responders) -> None:
    assert ask(responders(), "this", stdin=b"not this").stdout == b"this\n"


def test_an_argument_that_is_not_utf_8_is_sent_as_it_is(ask: Ask, responders: Responders) -> None:
    assert ask(responders(), os.fsdecode(b"\xff{{Count}}\xfe"), "--raw").stdout == b"\xff1\xfe"


def test_a_file_is_sent(ask: Ask, responders: Responders, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"{{Count}}\n")
    assert ask(responders(), "--body-file", str(tmp_path / "f"), "--raw").stdout == b"{{Count}}\n"


def test_a_body_file_that_is_a_dash_is_standard_input(ask: Ask, responders: Responders) -> None:
    assert ask(responders(), "--body-file", "-", "--raw", stdin=b"a\n").stdout == b"a\n"
    run = ask("x", "y", "--body-file", "-")
    assert (run.status, "BODY and --body-file" in run.stderr) == (2, True)


@pytest.mark.parametrize("how", [(), ("--raw",), ("--json",)])
def test_a_wait_for_standard_input_is_said_after_a_second_and_has_no_time_limit(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders, how: tuple[str, ...]
) -> None:
    start = time.monotonic()
    program = spawn(
        "request", responders(), *how, "--timeout", "1s", server=nats_server, stdin=subprocess.PIPE
    )
    program.wait_for("Waiting for standard input (for an empty payload, give '' or </dev/null)")
    assert time.monotonic() - start > 1
    time.sleep(1)
    program.stdin.write(b"late")
    program.stdin.close()
    assert program.wait() == 0
    assert responders.requests[0].payload == b"late"
    assert program.stderr_text().count("Waiting") == 1


def test_a_wait_for_standard_input_is_not_said_when_quiet_or_when_something_came(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders
) -> None:
    subject = responders()
    quiet, fed = (
        spawn("request", subject, *how, server=nats_server, stdin=subprocess.PIPE)
        for how in (("--quiet",), ())
    )
    fed.stdin.write(b"some")
    fed.stdin.flush()
    time.sleep(2)
    for program in (quiet, fed):
        program.stdin.close()
        assert program.wait() == 0
        assert "Waiting" not in program.stderr_text()


def test_nothing_on_a_terminal_is_an_empty_payload(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    status, _ = run_on_terminal(runner, "request", responders(), server=nats_server, typed=b"not this")
    assert (status, responders.requests[0].payload) == (0, b"")


@pytest.mark.parametrize(
    ("how", "payloads"),
    [(["--force-stdin"], [b"a\nb\n"]), (["--send-on", "newline"], [b"a", b"b"])],
)
def test_a_terminal_is_read_when_that_is_asked_for(
    runner: Runner, nats_server: Server, responders: Responders, how: list[str], payloads: list[bytes]
) -> None:
    status, _ = run_on_terminal(
        runner, "request", responders(), *how, server=nats_server, typed=b"a\nb\n\x04", canonical=True
    )
    assert status == 0
    assert [request.payload for request in responders.requests] == payloads


@pytest.mark.parametrize("how", [(), ("--count", "2"), ("--send-on", "newline")])
def test_a_payload_too_large_for_the_server_is_reported_with_both_sizes(
    pynats: Runner,
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
    how: tuple[str, ...],
) -> None:
    server = server_factory("max_payload: 1000")
    subject = responders_on(server)()
    run = pynats("request", subject, *how, server=server, stdin=b"x" * 1001)
    assert run.status == 2
    assert "the request has 1001 bytes, the server takes 1000" in run.stderr
    assert pynats("request", subject, *how, server=server, stdin=b"x" * 1000).status == 0


def test_headers_count_as_payload(
    pynats: Runner, server_factory: Callable[..., Server], responders_on: Callable[..., Responders]
) -> None:
    server = server_factory("max_payload: 1000")
    subject = responders_on(server)()
    block = len("NATS/1.0\r\nA: b\r\n\r\n")
    assert pynats("request", subject, "x" * (1000 - block), "-H", "A:b", server=server).status == 0
    run = pynats("request", subject, "x" * (1001 - block), "-H", "A:b", server=server)
    assert (run.status, "1001 bytes" in run.stderr) == (2, True)


def test_one_line_too_long_does_not_stop_the_others(
    pynats: Runner, server_factory: Callable[..., Server], responders_on: Callable[..., Responders]
) -> None:
    server = server_factory("max_payload: 10")
    lines = b"1\n" + b"x" * 11 + b"\n3\n"
    run = pynats("request", responders_on(server)(), "--send-on", "newline", server=server, stdin=lines)
    assert (run.status, run.lines) == (2, ["1", "3"])
    assert "[#2] the request has 11 bytes" in run.stderr


LINES = {
    b"1\n2\n3\n": ["1", "2", "3"],
    b"1\n2\n3": ["1", "2", "3"],
    b"1\r\n2\r\n": ["1", "2"],
    b"1\n\n3\n": ["1", "", "3"],
    b"": [],
    b"{{Count}}\n": ["{{Count}}"],
}


@pytest.mark.parametrize("lines", LINES)
def test_each_line_is_a_request_in_order(ask: Ask, responders: Responders, lines: bytes) -> None:
    run = ask(responders(), "--send-on", "newline", "--json", stdin=lines)
    assert (run.status, [reply["data"] for reply in run.objects]) == (0, LINES[lines])
    assert [reply["request"] for reply in run.objects] == list(range(1, len(LINES[lines]) + 1))


def test_many_lines_are_sent_in_order(ask: Ask, responders: Responders) -> None:
    lines = [f"line {number}" for number in range(2000)]
    run = ask(responders(), "--send-on", "newline", "--raw", stdin="\n".join(lines).encode())
    assert (run.status, run.lines) == (0, lines)


def test_each_line_can_be_sent_several_times(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "--send-on", "newline", "--count", "2", stdin=b"a\nb\n")
    assert (run.status, run.lines) == (0, ["a", "a", "b", "b"])


def test_a_line_is_answered_before_the_next_one_comes(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders
) -> None:
    program = spawn(
        "request", responders(), "--send-on", "newline", server=nats_server, stdin=subprocess.PIPE
    )
    for line in (b"first", b"second"):
        program.stdin.write(line + b"\n")
        program.stdin.flush()
        program.wait_for(line.decode())
        assert program.status is None
    program.stdin.close()
    assert program.wait() == 0


def test_stdin_as_a_whole_is_one_request(ask: Ask, responders: Responders) -> None:
    assert ask(responders(), "--send-on", "eof", "--raw", stdin=b"1\n2\n").stdout == b"1\n2\n"


def test_templates_are_filled_in(ask: Ask, responders: Responders) -> None:
    subject = responders()
    responders(subject=f"{subject}.*")
    run = ask(
        f"{subject}.{{{{Count}}}}", "{{Count}} {{Random 5 5}}", "-H", "N: {{Cnt}}/{{ID}}", "--count", "3"
    )
    assert run.status == 0
    assert [line[:2] for line in run.lines] == ["1 ", "2 ", "3 "]
    assert {len(line) for line in run.lines} == {7}
    assert [request.subject for request in responders.requests] == [f"{subject}.{n}" for n in (1, 2, 3)]
    values = [dict(request.pairs)["N"].split("/") for request in responders.requests]
    assert [value[0] for value in values] == ["1", "2", "3"]
    assert len({value[1] for value in values}) == 3


def test_templates_can_be_turned_off(ask: Ask, responders: Responders) -> None:
    subject = responders()
    run = ask(subject, "{{Count}} {{Nope}}", "-H", "N:{{ID}}", "--no-templates")
    assert run.stdout == b"{{Count}} {{Nope}}\n"
    assert responders.requests[0].pairs == (("N", "{{ID}}"),)


def test_a_filled_in_subject_that_is_none_fails_that_request_only(ask: Ask, responders: Responders) -> None:
    responders(subject="t.maybe.>")
    run = ask("t.maybe.x{{Random 1 1}}.{{Random 0 1}}a", "x", "--count", "3")
    assert run.status == 0
    run = ask("t.maybe.{{Random 0 0}}", "x", "--count", "3")
    assert (run.status, "a subject has no empty token: 't.maybe.'" in run.stderr) == (2, True)


def test_headers_are_sent_in_order_with_duplicates(ask: Ask, responders: Responders) -> None:
    ask(
        responders(),
        "x",
        "-H",
        "A:1",
        "-H",
        "b: x:y ",
        "--header",
        "A:2",
        "-H",
        os.fsdecode(b"C:\xff"),
        "-H",
        "D:",
    )
    assert responders.requests[0].pairs == (
        ("A", "1"), ("b", "x:y"), ("A", "2"), ("C", "\udcff"), ("D", ""),
    )  # fmt: skip


def test_a_request_without_headers_has_no_header_block(ask: Ask, responders: Responders) -> None:
    ask(responders(), "x")
    assert responders.requests[0].header is None


def test_a_large_payload_is_not_waited_for_in_vain(ask: Ask, responders: Responders) -> None:
    run = ask(responders(silent), "--timeout", "300ms", stdin=b"x" * 1_000_000)
    assert run.status == 4


def test_a_large_reply_arrives_whole(ask: Ask, responders: Responders) -> None:
    payload = os.urandom(1_000_000)
    subject = responders(lambda request: [Answer(payload, b"NATS/1.0\r\nA: 1\r\n\r\n")])
    assert ask(subject, "x", "--raw").stdout == payload
