"""`pynats publish` against a real server: what arrives, how fast, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from natscli.cli.jetstream import FLAGS
from natscli.wire.client import DIFFERENCES
from tests.program import Run, Runner, until
from tests.publish.listeners import Listener
from tests.request.terminals import run_on_terminal
from tests.servers import Server, free_port
from tests.terminal import on_terminal

Publish = Callable[..., Run]
Listen = Callable[..., Listener]


@pytest.fixture
def publish(pynats: Runner, nats_server: Server) -> Publish:
    """`publish(*args)` runs `pynats publish` on the shared server."""
    return lambda *args, **how: pynats("publish", *args, **{"server": nats_server, **how})


@pytest.fixture
def listen(nats_server: Server) -> Iterator[Listen]:
    """`listen(subject)` hears what is published on it from now on."""
    with ExitStack() as stack:

        def start(subject: str, url: str = "", user: str = "") -> Listener:
            listener = Listener(url or nats_server.url, subject, user)
            stack.callback(listener.close)
            return listener

        yield start


def without_times(text: str) -> list[str]:
    return [re.sub(r"^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d ", "", line) for line in text.splitlines()]


def test_a_message_is_published_and_logged(publish: Publish, listen: Listen) -> None:
    heard = listen("p.one")
    run = publish("p.one", "hello")
    assert (run.status, run.stdout, without_times(run.stderr)) == (0, b"", ["Published 5 bytes to [p.one]"])
    message = heard.wait(1)[0]
    assert (message.subject, message.reply, message.header, message.payload) == ("p.one", "", b"", b"hello")


def test_the_alias_works(pynats: Runner, nats_server: Server, listen: Listen) -> None:
    heard = listen("p.alias")
    assert pynats("pub", "p.alias", "", server=nats_server).status == 0
    assert heard.wait(1)[0].payload == b""


def test_headers_and_a_reply_subject_are_sent(publish: Publish, listen: Listen) -> None:
    heard = listen("p.head")
    assert publish("p.head", "x", "-H", "A:1", "--header", "A: 2", "--reply", "answers.here").status == 0
    message = heard.wait(1)[0]
    assert (message.header, message.reply) == (b"NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n", "answers.here")


def test_count_sends_templates_filled_in(publish: Publish, listen: Listen) -> None:
    heard = listen("p.count.*")
    run = publish("p.count.{{Count}}", "n {{Count}} {{Random 3 3}}", "-H", "N:{{.Count}}", "--count", "3")
    assert run.status == 0
    for number, message in enumerate(heard.wait(3), 1):
        assert message.subject == f"p.count.{number}"
        assert re.fullmatch(rb"n %d \w{3}" % number, message.payload)
        assert message.header == b"NATS/1.0\r\nN: %d\r\n\r\n" % number
    assert [line.split(" to ")[1] for line in without_times(run.stderr)[:3]] == [
        "[p.count.1]", "[p.count.2]", "[p.count.3]",
    ]  # fmt: skip
    assert re.fullmatch(r"Published 3 messages, 21 B, in [\d.]+[mµ]?s, [\d,]+/s", run.errors[3])


def test_templates_can_be_turned_off(publish: Publish, listen: Listen) -> None:
    heard = listen("p.plain")
    assert publish("p.plain", "{{Count}}", "--no-templates").status == 0
    assert heard.wait(1)[0].payload == b"{{Count}}"


@pytest.mark.parametrize("body", ["hello", "hello {{Count}}"])
def test_many_messages_all_arrive_in_order(publish: Publish, listen: Listen, body: str) -> None:
    heard = listen("p.many")
    run = publish("p.many", body, "--count", "20000")
    assert run.status == 0
    assert re.fullmatch(r"Published 20,000 messages, [\d.]+ kB, in [\d.]+m?s, [\d,]+/s", run.stderr.strip())
    expected = [body.replace("{{Count}}", str(n)).encode() for n in range(1, 20_001)]
    assert [message.payload for message in heard.wait(20_000)] == expected


def test_quiet_says_nothing(publish: Publish, listen: Listen) -> None:
    heard = listen("p.quiet")
    for flag in ("-q", "--quiet"):
        run = publish("p.quiet", "x", "--count", "30", flag)
        assert (run.status, run.stdout, run.stderr) == (0, b"", "")
    heard.wait(60)


def test_json_is_the_outcome_as_one_object(publish: Publish, listen: Listen) -> None:
    run = publish("p.json", "abc", "--count", "40", "--json")
    assert (run.status, run.stderr) == (0, "")
    (found,) = run.objects
    assert 0 < found.pop("seconds") < 10
    assert found == {"subject": "p.json", "published": 40, "sent": 40, "failed": 0, "bytes": 120}


# -- where the payload comes from ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload", [b"", b"\0\xff\r\n{{Count}}\n", os.urandom(1_000_000)], ids=["empty", "odd", "large"]
)
def test_standard_input_is_the_payload_byte_for_byte(
    publish: Publish, listen: Listen, payload: bytes
) -> None:
    heard = listen("p.stdin")
    run = publish("p.stdin", stdin=payload)
    assert (run.status, without_times(run.stderr)[0]) == (0, "Reading payload from standard input")
    assert heard.wait(1)[0].payload == payload


def test_a_file_is_the_payload_byte_for_byte(publish: Publish, listen: Listen, pynats: Runner) -> None:
    heard = listen("p.file")
    (pynats.directory / "data").write_bytes(b"\0\xff{{Count}}\n")
    assert publish("p.file", "--body-file", "data", "--count", "2", stdin=b"not this").status == 0
    assert [message.payload for message in heard.wait(2)] == [b"\0\xff{{Count}}\n"] * 2


def test_the_file_called_minus_is_standard_input(publish: Publish, listen: Listen) -> None:
    heard = listen("p.minus")
    assert publish("p.minus", "--body-file", "-", stdin=b"from a pipe").status == 0
    assert heard.wait(1)[0].payload == b"from a pipe"


def test_each_line_is_a_message(publish: Publish, listen: Listen) -> None:
    heard = listen("p.lines.>")
    run = publish("p.lines.{{Count}}", "--send-on", "newline", "--count", "2", stdin=b"a\r\n\nc")
    assert run.status == 0
    assert [(message.subject[-1], message.payload) for message in heard.wait(6)] == [
        ("1", b"a"), ("2", b"a"), ("3", b""), ("4", b""), ("5", b"c"), ("6", b"c"),
    ]  # fmt: skip
    assert "[#6] Published 1 bytes to [p.lines.6]" in run.stderr


def test_a_line_is_sent_when_it_comes(runner: Runner, nats_server: Server, listen: Listen) -> None:
    heard = listen("p.live")
    program = runner.spawn("pub", "p.live", "--send-on", "newline", server=nats_server, stdin=subprocess.PIPE)
    for number in range(3):
        program.stdin.write(b"%d\n" % number)
        program.stdin.flush()
        assert heard.wait(number + 1)[number].payload == b"%d" % number
    program.stdin.close()
    assert program.wait() == 0
    assert "Published 3 messages" in program.stderr_text()


def test_force_stdin_reads_from_a_terminal(pynats: Runner, nats_server: Server, listen: Listen) -> None:
    heard = listen("p.typed")
    status, _ = run_on_terminal(
        pynats, "pub", "p.typed", "--force-stdin", server=nats_server, typed=b"typed\n\x04", canonical=True
    )
    assert (status, heard.wait(1)[0].payload) == (0, b"typed\n")


def test_without_a_body_on_a_terminal_the_payload_is_empty(
    pynats: Runner, nats_server: Server, listen: Listen
) -> None:
    heard = listen("p.nothing")
    status, output = run_on_terminal(
        pynats, "pub", "p.nothing", server=nats_server, typed=b"", canonical=True
    )
    assert (status, heard.wait(1)[0].payload) == (0, b"")
    assert b"Published 0 bytes to [p.nothing]" in output


# -- how fast --------------------------------------------------------------------------------------------------------


def test_a_rate_is_kept(publish: Publish, listen: Listen) -> None:
    heard = listen("p.rate")
    assert publish("p.rate", "x", "--count", "101", "--rate", "100").status == 0
    times = [message.at for message in heard.wait(101)]
    assert 0.95 < times[-1] - times[0] < 3  # of a second; a busy machine may be late, never early


def test_sleep_is_a_pause_after_each_message(publish: Publish, listen: Listen) -> None:
    heard = listen("p.sleep")
    assert publish("p.sleep", "{{UnixNano}}", "--count", "4", "--sleep", "100ms").status == 0
    times = [int(message.payload) / 1e9 for message in heard.wait(4)]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.09


def test_a_terminal_that_takes_nothing_holds_up_no_message(
    pynats: Runner, nats_server: Server, listen: Listen
) -> None:
    heard = listen("p.stopped")
    how = "--count", "20", "--sleep", "100ms"
    with on_terminal(pynats, "pub", "p.stopped", "{{Count}}", *how, server=nats_server) as (run, terminal):
        terminal.wait_for(b"[#2]")
        terminal.stop()
        assert len(heard.wait(20)) == 20
        terminal.go_on()
        terminal.wait_for(b"Published 20 messages")
        assert run.wait(20) == 0


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.fixture
def strict_server(server_factory: Callable[..., Server]) -> Server:
    """A server where u may publish on all but no.>, and o on all."""
    return server_factory(
        "authorization { users: [{user: o, password: p}, "
        '{user: u, password: p, permissions: {publish: {deny: "no.>"}}}] }'
    )


@pytest.mark.parametrize("how", [(), ("--count", "10"), ("--count", "100000"), ("--quiet",), ("--json",)])
def test_a_refused_message_exits_6(pynats: Runner, strict_server: Server, how: tuple[str, ...]) -> None:
    url = f"nats://u:p@127.0.0.1:{strict_server.port}"
    run = pynats("pub", "no.way", "x", *how, "-s", url)
    assert run.status == 6
    reason = 'Permissions Violation for Publish to "no.way"'
    assert f"does not permit this: {reason.lower() if DIFFERENCES else reason}" in run.errors[-1]
    assert "Published" not in run.stderr
    if "--json" in how:
        (found,) = run.objects
        assert (found["error"], found["status"], found["published"]) == ("refused", 6, None)


def test_with_many_subjects_what_is_permitted_is_published(
    pynats: Runner, strict_server: Server, listen: Listen
) -> None:
    heard = listen(">", strict_server.url, "o")
    url = f"nats://u:p@127.0.0.1:{strict_server.port}"
    run = pynats("pub", "{{Count}}", "--send-on", "newline", "-s", url, stdin=b"a\nb\n")
    assert run.status == 0
    run = pynats("pub", "no.{{Count}}", "x", "--count", "12", "-s", url)
    assert run.status == 6
    assert run.stderr.count("Permissions Violation") == 10  # the rest is counted
    assert re.fullmatch(r"Published 0 messages in [\d.]+m?s, failed: 12", run.errors[-1])
    assert len(heard.wait(2)) == 2


def test_a_message_that_is_too_large_names_both_numbers(publish: Publish, listen: Listen) -> None:
    heard = listen("p.large")
    run = publish("p.large", stdin=b"x" * 1_100_000)
    assert run.status == 2
    assert run.errors[-1] == "pynats: error: the message has 1100000 bytes, the server takes 1048576"
    lines = publish("p.large", "--send-on", "newline", stdin=b"a\n" + b"x" * 1_100_000 + b"\nb\n")
    assert lines.status == 2
    assert "pynats: error: [#2] the message has 1100000 bytes, the server takes 1048576" in lines.stderr
    assert [message.payload for message in heard.wait(2)] == [b"a", b"b"]
    many = publish("p.large", "-H", "A:" + "x" * 100, "--count", "100000", stdin=b"x" * 1_048_500)
    assert (many.status, len(many.errors)) == (2, 1)


def has_confirmed(server: Server, subject: str, count: int) -> bool:
    """Whether a server that logs its traffic (-V) got so many messages, and has answered a PING since."""
    log, message = server.log(), f"<<- [PUB {subject} "
    return log.count(message) == count and log.rfind("->> [PONG]") > log.rfind(message)


def test_a_server_that_is_killed_exits_5(runner: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory()
    program = runner.spawn("pub", "p.die", "x", "--count", "1000", "--sleep", "50ms", server=server)
    heard = Listener(server.url, "p.die")
    heard.wait(3)
    server.stop()
    assert program.wait() == 5
    assert "pynats: error: the connection was lost" in program.stderr_text()


@pytest.mark.parametrize("how", [("--send-on", "newline"), ("--send-on", "newline", "--json"),
                                 ("--send-on", "eof", "--count", "100", "--sleep", "1m"),
                                 ("--send-on", "eof", "--count", "100", "--sleep", "1m", "--json")],
                         ids=["lines", "lines JSON", "many", "many JSON"])  # fmt: skip
def test_what_the_server_has_confirmed_is_published_when_the_connection_is_lost(
    runner: Runner, server_factory: Callable[..., Server], how: tuple[str, ...]
) -> None:
    server = server_factory("", "-V")
    count = 3 if "newline" in how else 1
    program = runner.spawn("pub", "p.lost", *how, server=server, stdin=subprocess.PIPE)
    for number in range(count):
        program.stdin.write(b"x\n" if "newline" in how else b"x")
        program.stdin.close() if "eof" in how else program.stdin.flush()
        until(lambda: has_confirmed(server, "p.lost", number + 1), "the server has confirmed it")  # noqa: B023
    server.stop()
    assert program.wait() == 5
    assert "hint" not in program.stderr_text()
    if "--json" in how:
        found = json.loads(program.stdout_bytes())
        assert (found["sent"], found["published"], found["status"]) == (count, count, 5)
    else:
        assert f"Published {count} messages, {count} B, in " in program.stderr_text()


def test_only_what_the_server_has_not_confirmed_it_may_not_have(
    runner: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    program = runner.spawn("pub", "p.x", "--send-on", "newline", server=server, stdin=subprocess.PIPE)
    program.stdin.write(b"a\n")
    program.stdin.flush()
    program.wait_for("Published 1 bytes")
    with server.paused():
        program.stdin.write(b"b\nc\n")
        program.stdin.close()
        assert program.wait() == 5
    *_, summary, _, hint = without_times(program.stderr_text())
    assert re.fullmatch(
        r"Sent [23] messages, [23] B, in .*; the server has confirmed only 1 of them", summary
    )
    assert re.fullmatch(r"  hint: messages sent, which the server may not have: [12]", hint)


def test_a_server_that_does_not_answer_exits_5(runner: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory()
    program = runner.spawn("pub", "p.stop", "--send-on", "newline", server=server, stdin=subprocess.PIPE)
    program.stdin.write(b"a\n")
    program.stdin.flush()
    program.wait_for("Published 1 bytes")
    os.kill(server.pid, signal.SIGSTOP)
    while {
        p.read_text().rpartition(")")[2].split()[0] for p in Path(f"/proc/{server.pid}/task").glob("*/stat")
    } != {"T"}:
        time.sleep(0.01)  # a thread that runs stops a little later
    try:
        program.stdin.write(b"b\n")
        program.stdin.close()
        assert program.wait() == 5
        assert "the server does not answer" in program.stderr_text()
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_without_a_server_exits_5(pynats: Runner) -> None:
    run = pynats("pub", "x", "y", server=f"nats://127.0.0.1:{free_port()}")
    assert (run.status, run.stdout) == (5, b"")


def test_ctrl_c_says_how_much_was_sent(runner: Runner, nats_server: Server, listen: Listen) -> None:
    heard = listen("p.int")
    program = runner.spawn("pub", "p.int", "x", "--count", "1000", "--rate", "50", server=nats_server)
    heard.wait(5)
    assert program.stop(signal.SIGINT) == 130
    sent, error = program.stderr_text().splitlines()
    words = r"(Sent|Published) \d+ messages, \d+ B, in [\d.]+m?s(; the server has confirmed only \d+ of them|, \d+/s)"
    assert re.fullmatch(words, sent)
    assert error == "pynats: error: interrupted"
    time.sleep(0.1)
    assert len(heard.messages) >= int(sent.split()[1])


def test_it_goes_on_when_another_node_of_the_cluster_is_killed(runner: Runner, cluster: list[Server]) -> None:
    heard = Listener(cluster[1].url, "p.nodes")
    program = runner.spawn("pub", "p.nodes", "{{Count}}", "--count", "60", "--rate", "50", server=cluster[0])
    heard.wait(10)
    cluster[2].stop(signal.SIGKILL)
    assert program.wait() == 0
    deadline = time.monotonic() + 10
    while b"60" not in heard.payloads:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    heard.close()


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", [*FLAGS["publish"][0], *FLAGS["publish"][1]])
def test_jetstream_options_are_refused_in_one_line(pynats: Runner, flag: str) -> None:
    value = ["1"] if flag in FLAGS["publish"][1] else []
    for name in flag.split():
        run = pynats("pub", "x", "y", name, *value, server="nats://127.0.0.1:1")
        assert (run.status, run.errors) == (
            2,
            [f"pynats: error: pynats has no JetStream ({flag.split()[-1]})"],
        )


BAD = {
    "wildcard": (("a.*", "x"), "a message needs one subject, and 'a.*' has the wildcard '*' (SUBJECT)"),
    "empty token": (("a..b", "x"), "a subject has no empty token: 'a..b' (SUBJECT)"),
    "template": (("a", "{{Request}}"), "unknown template {{Request}} at character 1 (BODY)"),
    "header": (("a", "x", "-H", "A"), "invalid header 'A': expected NAME:VALUE (--header)"),
    "reply": (
        ("a", "x", "--reply", "b.>"),
        "a reply needs one subject, and 'b.>' has the wildcard '>' (--reply)",
    ),
    "two bodies": (("a", "x", "--body-file", "f"), "BODY and --body-file exclude each other"),
    "lines of a body": (("a", "x", "--send-on", "newline"), "BODY and --send-on newline exclude each other"),
    "two paces": (("a", "x", "--sleep", "1s", "--rate", "1"), "--sleep and --rate exclude each other"),
    "file": (
        ("a", "--body-file", "no-such"),
        "cannot read 'no-such': no such file or directory (--body-file)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_found_before_connecting(pynats: Runner, case: str) -> None:
    arguments, message = BAD[case]
    run = pynats("pub", *arguments, server="nats://127.0.0.1:1")
    assert (run.status, run.errors[0]) == (2, f"pynats: error: {message}")


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_a_rate_is_more_than_nothing(pynats: Runner, rate: str) -> None:
    run = pynats("pub", "a", "x", "--rate", rate, server="nats://127.0.0.1:1")
    assert (run.status, run.errors) == (2, ["pynats: error: a rate must be more than 0 (--rate)"])


def test_a_subject_from_a_template_is_checked_too(publish: Publish) -> None:
    run = publish("p.{{Random 0 0}}", "x")
    assert run.status == 2
    assert "a subject has no empty token" in run.errors[-1]


def test_hostile_subjects_are_shown_escaped(publish: Publish) -> None:
    run = publish("p.\u202ex", "y", "-H", "A:\x1b[2J")
    assert run.status == 0
    assert run.stderr.endswith("Published 1 bytes to [p.\\u202ex]\n")
