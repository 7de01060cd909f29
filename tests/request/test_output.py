"""What `pynats request` shows, and where: data on stdout, the log on stderr, more on a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from datetime import datetime

import pytest

from natscli.message import headers
from tests.program import Run, Runner
from tests.request.responders import Answer, Request, Responders, silent
from tests.request.terminals import run_on_terminal
from tests.servers import Server

Ask = Callable[..., Run]
CLOCK = r"\d\d:\d\d:\d\d "
RTT = r"\d+(\.\d+)?(µs|ms|s)"

EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eab\0\r"


def evil(request: Request) -> list[Answer]:
    block = headers.encode([("X-Evil", "\x1b[31m\u202e")])
    return [Answer(EVIL.encode(), block)]


def as_json(request: Request) -> list[bytes]:
    return ['{"name":"Zoë","n":[1,2]}'.encode()]


def test_data_goes_to_stdout_and_the_log_to_stderr(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [Answer(b"data", headers.encode([("A", "1"), ("A", "\x1b")]))])
    run = ask(subject, "x")
    assert run.stdout == b"data\n"
    log = rf"{CLOCK}Sending request on \[{subject}\]\n{CLOCK}Received with rtt {RTT}\nA: 1\nA: \\x1b\n\n"
    assert re.fullmatch(log, run.stderr)


@pytest.mark.parametrize("flag", ["--raw", "-r", "--json", "--quiet"])
def test_only_the_data_is_shown_when_that_is_asked_for(ask: Ask, responders: Responders, flag: str) -> None:
    run = ask(responders(), "hi", flag)
    assert run.stderr == ""
    if flag == "--json":
        assert [found["data"] for found in run.objects] == ["hi"]
    else:
        assert run.stdout == (b"hi\n" if flag == "--quiet" else b"hi")


def test_errors_are_shown_also_when_quiet(ask: Ask) -> None:
    run = ask("nobody.home", "x", "--quiet")
    assert run.errors == ["pynats: error: no responders (nobody.home)"]


def test_a_payload_gets_a_line_break_only_if_it_has_none(ask: Ask, responders: Responders) -> None:
    assert ask(responders(), "hi\n").stdout == b"hi\n"
    assert ask(responders(), "").stdout == b"\n"


def test_many_requests_and_replies_are_numbered(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b"a", b"b"])
    run = ask(subject, "x", "--count", "2", "--replies", "2", "--verbose")
    assert [line.partition("Received")[0][9:] for line in run.errors if "Received" in line] == [
        "[#1 reply 1] ", "[#1 reply 2] ", "[#2 reply 1] ", "[#2 reply 2] ",
    ]  # fmt: skip
    assert f"[#2] Sending request on [{subject}]" in run.stderr


def test_a_load_in_a_pipe_writes_payloads_errors_and_a_summary(ask: Ask, responders: Responders) -> None:
    headers = b"NATS/1.0\r\nA: b\r\n\r\n"
    subject = responders(lambda request: [] if request.payload == b"7" else [Answer(b"ok", headers)])
    run = ask(subject, "{{Count}}", "--count", "200", "--concurrency", "200", "--timeout", "1s")
    assert (run.status, run.lines) == (4, ["ok"] * 199)
    assert run.errors[0] == f"pynats: error: [#7] timeout: no reply within 1s ({subject})"
    assert [line.partition(" ")[0] for line in run.errors[1:]] == ["Sent", "Rate", "RTT"]


def test_a_file_that_gets_both_streams_has_them_in_order(
    pynats: Runner, responders: Responders, nats_server: Server
) -> None:
    arguments = ["request", responders(), "{{Count}}", "--count", "3", "--verbose"]
    run = pynats("--version")
    done = subprocess.run(
        [*_command(), *arguments],
        env={**pynats.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
    )  # fmt: skip
    first, *lines = [re.sub(CLOCK, "", line) for line in done.stdout.decode().splitlines()]
    assert first == f"Connected to {nats_server.url}, NATS_URL"
    assert [line.split(" ")[0:2][-1] for line in lines[:9]] == [
        "Sending", "Received", "1", "Sending", "Received", "2", "Sending", "Received", "3",
    ]  # fmt: skip
    assert run.status == 0


def _command() -> list[str]:
    import sys

    return [sys.executable, "-m", "natscli"]


def test_json_is_one_object_a_reply(ask: Ask, responders: Responders) -> None:
    block = headers.encode([("A", "1"), ("A", "2")])
    subject = responders(lambda request: [Answer(b"a\nb", block), b"\xff\0"])
    run = ask(subject, "x", "--replies", "2", "--json")
    first, second = run.objects
    assert 0 < first.pop("rtt_ns") <= second.pop("rtt_ns") < 10**10
    for record in (first, second):
        came = datetime.fromisoformat(record.pop("time").replace("Z", "+00:00"))
        assert abs(time.time() - came.timestamp()) < 30
    assert first == {
        "subject": subject, "request": 1, "reply": 1, "headers": {"A": ["1", "2"]},
        "data": "a\nb", "encoding": "utf-8", "size": 3,
    }  # fmt: skip
    assert second == {
        "subject": subject, "request": 1, "reply": 2, "headers": {},
        "data": "/wA=", "encoding": "base64", "size": 2,
    }  # fmt: skip


def test_json_works_with_jq(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "--send-on", "newline", "--json", stdin="grüße\n\u2028\x9b\n\\\n".encode())
    done = subprocess.run(["jq", "-r", ".data"], input=run.stdout, stdout=subprocess.PIPE, check=True)
    assert done.stdout == "grüße\n\u2028\x9b\n\\\n".encode()


def test_json_is_one_object_an_error(ask: Ask, responders: Responders) -> None:
    responders(lambda request: [b"ok"], subject="t.json.2")
    responders(silent, subject="t.json.3")
    run = ask("t.json.{{Count}}", "x", "--count", "3", "--json", "--timeout", "200ms")
    assert run.status == 3
    assert [(found["request"], found.get("error"), found.get("status")) for found in run.objects] == [
        (1, "no_responders", 3), (2, None, None), (3, "timeout", 4),
    ]  # fmt: skip
    assert run.objects[0]["message"] == "no responders (t.json.1)"
    assert run.objects[0]["subject"] == "t.json.1"


def test_json_of_bad_input_is_an_object_too(pynats: Runner) -> None:
    run = pynats("request", "a..b", "x", "--json", server="nats://127.0.0.1:1")
    assert run.status == 2
    assert [{**record, "time": ""} for record in run.objects] == [
        {"time": "", "subject": "a..b", "request": 0, "error": "usage", "status": 2,
         "message": "a subject has no empty token: 'a..b' (SUBJECT)"}
    ]  # fmt: skip


def test_json_shows_no_secret(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory("authorization { user: u, password: p }")
    url = f"nats://u:s3cr3t-pass@127.0.0.1:{server.port}"
    for arguments in (("s", "x"), ("a..b", "x"), ("s", "x", "--trace"), ("s", "-H", url)):
        run = pynats("request", *arguments, "--json", "-s", url)
        assert run.status in (2, 6)
        assert b"s3cr3t" not in run.stdout + run.stderr.encode()


def test_a_terminal_is_not_driven_by_the_network(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    arguments = ("request", responders(evil), "x")
    status, shown = run_on_terminal(runner, *arguments, server=nats_server, env={"NO_COLOR": "1"})
    assert status == 0
    text = shown.decode()
    assert "\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\u202eab\\x00\\r\n" in text
    assert "X-Evil: \\x1b[31m\\u202e\n" in text
    assert not set(text) & set("\x1b\x07\x9b\u202e\0\r")
    for flag in ("--raw", "--json", "--quiet"):
        _, shown = run_on_terminal(runner, *arguments, flag, server=nats_server, env={"NO_COLOR": "1"})
        assert not set(shown.decode()) & set("\x1b\x07\x9b\u202e\0\r")


def test_errors_on_a_terminal_are_not_driven_by_the_network(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    block = "NATS/1.0\r\nNats-Service-Error: \x1b[2J\x9b\r\n\r\n".encode()
    subject = responders(lambda request: [Answer(b"", block)])
    for flag in ("--json", "--raw"):
        status, shown = run_on_terminal(
            runner, "request", subject, "x", flag, server=nats_server, env={"NO_COLOR": "1"}
        )
        assert status == 7
        assert not set(shown.decode()) & set("\x1b\x9b")


def test_a_terminal_gets_colours_and_pretty_json(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    status, shown = run_on_terminal(runner, "request", responders(as_json), "x", server=nats_server)
    assert status == 0
    text = shown.decode()
    assert "\x1b[" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert '{\n  "name": "Zoë",\n  "n": [\n    1,\n    2\n  ]\n}\n' in plain
    assert re.search(rf"{CLOCK}Received with rtt {RTT}\n", plain)


@pytest.mark.parametrize(
    ("arguments", "env"),
    [((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"}), (("--color", "never"), {"CLICOLOR_FORCE": "1"})],
)
def test_a_terminal_without_colours_still_gets_pretty_json(
    runner: Runner,
    nats_server: Server,
    responders: Responders,
    arguments: tuple[str, ...],
    env: dict[str, str],
) -> None:
    _, shown = run_on_terminal(
        runner, "request", responders(as_json), "x", *arguments, server=nats_server, env=env
    )
    assert b'{\n  "name"' in shown
    assert b"\x1b" not in shown


def test_colour_elsewhere_is_only_for_who_insists(ask: Ask, responders: Responders) -> None:
    subject = responders(as_json)
    assert b"\x1b[" in ask(subject, "x", "--color", "always").stdout
    forced = ask(subject, "x", env={"CLICOLOR_FORCE": "1"})
    assert forced.stdout == '{"name":"Zoë","n":[1,2]}\n'.encode()
    assert "\x1b[" in forced.stderr
    assert ask(subject, "x", "--json", "--color", "always").objects


def test_binary_on_a_terminal_is_a_hex_dump(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    arguments = ("request", responders(lambda request: [b"\xff\x1b[2J"]), "x")
    for flags in ((), ("--raw",)):
        _, shown = run_on_terminal(runner, *arguments, *flags, server=nats_server)
        assert b"00000000  ff 1b 5b 32 4a " in shown


def test_payloads_in_a_pipe_are_exact_also_when_the_log_is_on_a_terminal(
    ask: Ask, responders: Responders
) -> None:
    assert ask(responders(evil), "x").stdout == EVIL.encode() + b"\n"


def test_a_closed_output_is_reported_once(
    pynats: Runner, nats_server: Server, responders: Responders
) -> None:
    process = subprocess.Popen(
        [*_command(), "request", responders(), "x", "--count", "100000", "--concurrency", "16", "--quiet"],
        env={**pynats.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"x\n"
    process.stdout.close()
    errors = process.stderr.read().decode()
    assert process.wait(20) == 1
    assert errors.count("the output was closed by its reader") == 1
    assert len(errors.splitlines()) == 1
    process.stderr.close()


@pytest.mark.parametrize("how", [(), ("--json",), ("--count", "2")])
def test_a_full_disk_is_a_failure(
    pynats: Runner, nats_server: Server, responders: Responders, how: tuple[str, ...]
) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*_command(), "request", responders(), "x", *how],
            env={**pynats.environ, "NATS_URL": nats_server.url},
            stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.decode().count("no space left on device (stdout)") == 1


def test_a_log_that_cannot_be_written_changes_nothing_else(
    pynats: Runner, nats_server: Server, responders: Responders
) -> None:
    environ = {**pynats.environ, "NATS_URL": nats_server.url}
    for subject, how, expected in (
        (responders(), (), (0, b"x\n")),
        (responders(), ("--count", "2", "--concurrency", "1"), (0, b"x\nx\n")),
        ("nobody", (), (3, b"")),
    ):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*_command(), "request", subject, "x", *how],
                env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=full, check=False,
            )  # fmt: skip
        assert (done.returncode, done.stdout) == expected


def test_a_slow_reader_gets_everything(pynats: Runner, nats_server: Server, responders: Responders) -> None:
    payload = b"x" * 500_000
    subject = responders(lambda request: [payload, payload, payload])
    script = f"{' '.join(_command())} request {subject} y --raw --replies 3 | (sleep 1.6; cat)"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        env={**pynats.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    assert done.stdout == (payload + b"\n") * 3


def test_replies_are_translated(ask: Ask, responders: Responders) -> None:
    subject = responders()
    run = ask(subject, "hi\x1b", "--translate", "sh -c 'tr a-z A-Z; echo \"|$0\"' {{Subject}}", "--raw")
    assert (run.status, run.stdout) == (0, f"HI\x1b|{subject}\n".encode())


def test_what_a_translation_says_on_stderr_is_no_data(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "hi", "--translate", "sh -c 'cat; printf \"careful\\033[2J\" >&2'", "--raw")
    assert (run.status, run.stdout, run.stderr) == (0, b"hi", "pynats: careful\\x1b[2J\n")


def test_a_failing_translation_shows_the_reply_and_exits_1(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "hi", "--translate", "sh -c 'cat >/dev/null; echo no good >&2; exit 3'")
    assert (run.status, run.stdout) == (1, b"hi\n")
    assert run.errors[-1] == "pynats: error: the command failed with status 3: no good (--translate)"
    run = ask(responders(), "hi", "--json", "--translate", "false")
    assert (run.status, [found.get("error") for found in run.objects]) == (1, [None, "failure"])


def test_a_translation_that_reads_nothing_is_fine(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "--translate", "echo done", "--raw", stdin=b"x" * 500_000)
    assert (run.status, run.stdout, run.stderr) == (0, b"done\n", "")


def test_translations_hold_up_no_reply_and_keep_the_order(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [Answer(b"%d" % i, after=0.05) for i in range(4)])
    how = ("--replies", "0", "--timeout", "700ms", "--translate", "sh -c 'sleep 0.3; cat'", "--json")
    run = ask(subject, "x", *how)
    assert (run.status, [found["data"] for found in run.objects]) == (0, ["0", "1", "2", "3"])
    assert run.objects[-1]["rtt_ns"] < 650e6


def test_large_replies_wait_for_their_translation_and_none_is_lost(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b"x" * 1_000_000])
    run = ask(subject, "x", "--count", "100", "--translate", "sh -c 'sleep 0.01; wc -c'", "--raw")
    assert (run.status, run.text.split()) == (0, ["1000000"] * 100), run.errors[-1]


@pytest.mark.parametrize("command", ["no-such-program-here", "'", "", "echo {{Nope}}"])
def test_a_translation_that_cannot_run_is_found_before_connecting(pynats: Runner, command: str) -> None:
    run = pynats("request", "s", "x", "--translate", command, server="nats://127.0.0.1:1")
    assert run.status == 2
    assert "(--translate)" in run.errors[0]


def test_output_of_json_lines_comes_at_once(
    spawn: Callable[..., object], nats_server: Server, responders: Responders
) -> None:
    subject = responders(lambda request: [b"1", Answer(b"2", after=60)])
    program = spawn(
        "request", subject, "x", "--replies", "2", "--reply-timeout", "60s", "--json", server=nats_server
    )
    program.wait_until(lambda: program.stdout_bytes().endswith(b"\n"), "a line")  # type: ignore[attr-defined]
    assert json.loads(program.stdout_bytes())["data"] == "1"  # type: ignore[attr-defined]
