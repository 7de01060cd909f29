"""`pynats subscribe` against a real server: what it shows, and when it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path

import pytest

from natscli.cli.jetstream import FLAGS
from tests.asking import Asker
from tests.program import Program, Runner
from tests.request.terminals import run_on_terminal
from tests.servers import Server
from tests.terminal import on_terminal, screen

Subscribe = Callable[..., Program]
HEADER = b"NATS/1.0\r\nA: 1\r\nA: 2\r\nEmpty:\r\n\r\n"


def ended(program: Program, status: int = 0) -> tuple[bytes, str]:
    """stdout and stderr of a program that ends by itself."""
    assert program.wait() == status, program.stderr_text()
    return program.stdout_bytes(), program.stderr_text()


def without_times(text: str) -> list[str]:
    return [re.sub(r"^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d ", "", line) for line in text.splitlines()]


def test_payloads_are_on_stdout_and_the_log_on_stderr(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.sub.*", "--count", "2")
    asker.send("t.sub.one", b"hello", header=HEADER)
    asker.send("t.sub.two", b"\xff\0\x1b[31m", reply=b"")
    out, err = ended(program)
    assert out == b"hello\n\xff\0\x1b[31m\n"
    lines = without_times(err)
    assert lines[0] == "Subscribed to [t.sub.*]"
    assert re.fullmatch(r"\[#1\] Received on \[t\.sub\.one\] with reply \[_INBOX\..*\]", lines[1])
    assert lines[2:] == ["A: 1", "A: 2", "Empty:", "", "[#2] Received on [t.sub.two]"]


def test_the_alias_and_several_subjects_work(runner: Runner, nats_server: Server, asker: Asker) -> None:
    program = runner.spawn(
        "sub", "t.al.a", "t.al.b", "--count", "2", server=nats_server, ready="Subscribed to"
    )
    asker.send("t.al.a", b"1", reply=b"")
    asker.send("t.al.b", b"2", reply=b"")
    assert ended(program)[0] == b"1\n2\n"


def test_the_log_and_the_payloads_of_one_file_are_in_order(
    subscribe: Subscribe, asker: Asker, runner: Runner
) -> None:
    command = [sys.executable, "-m", "natscli", "sub", "t.one", "--count", "2"]
    with (runner.directory / "both").open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**runner.environ, "NATS_URL": asker.url}
        )
    both = runner.directory / "both"
    while b"Subscribed" not in both.read_bytes():
        assert process.poll() is None
    asker.send("t.one", b"a", b"b", reply=b"")
    assert process.wait(20) == 0
    assert without_times(both.read_text())[1:] == [
        "[#1] Received on [t.one]",
        "a",
        "",
        "[#2] Received on [t.one]",
        "b",
        "",
    ]


@pytest.mark.parametrize("payload", [b"", b"\r\n\0\xff\n", b"x" * 300_000], ids=["empty", "binary", "large"])
def test_raw_with_count_1_is_byte_exact(subscribe: Subscribe, asker: Asker, payload: bytes) -> None:
    program = subscribe("t.raw", "--raw", "--count", "1")
    asker.send("t.raw", payload, reply=b"")
    assert ended(program)[0] == payload


def test_raw_payloads_are_separated_by_line_breaks_and_not_logged(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.raws", "--raw", "--count", "3")
    asker.send("t.raws", b"a", b"", b"b\n", reply=b"")
    out, err = ended(program)
    assert out == b"a\n\nb\n\n"
    assert without_times(err) == ["Subscribed to [t.raws]"]


def test_quiet_writes_no_log(runner: Runner, nats_server: Server, asker: Asker) -> None:
    program = runner.spawn("sub", "t.quiet", "--quiet", "--count", "1", server=nats_server)
    while program.status is None:
        asker.send("t.quiet", b"x", reply=b"")
        time.sleep(0.05)
    assert ended(program) == (b"x\n", "")


def test_json_is_one_object_a_message(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.json.>", "--json", "--count", "2")
    asker.send("t.json.a", "grüße\n".encode(), header=HEADER, reply=b"back")
    asker.send("t.json.\x1b[31m", b"\xff\0", reply=b"")
    first, second = [json.loads(line) for line in ended(program)[0].splitlines()]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first.pop("time"))
    second.pop("time")
    assert first == {
        "number": 1, "subject": "t.json.a", "reply_to": "back", "headers": {"A": ["1", "2"], "Empty": [""]},
        "data": "grüße\n", "encoding": "utf-8", "size": 8,
    }  # fmt: skip
    assert second == {
        "number": 2, "subject": "t.json.\x1b[31m", "reply_to": None, "headers": {},
        "data": "/wA=", "encoding": "base64", "size": 2,
    }  # fmt: skip


def test_headers_only_shows_headers_and_no_payloads(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.heads", "--headers-only", "--count", "2")
    asker.send("t.heads", b"secret", reply=b"")
    asker.send("t.heads", b"secret", header=HEADER, reply=b"")
    out, err = ended(program)
    assert out == b"A: 1\nA: 2\nEmpty:\n\n"
    assert without_times(err)[1:] == ["[#1] Received on [t.heads]", "[#2] Received on [t.heads]"]


def test_headers_only_as_json_has_no_data(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.headj", "--headers-only", "--json", "--count", "1")
    asker.send("t.headj", b"secret", header=HEADER, reply=b"")
    found = json.loads(ended(program)[0])
    assert "data" not in found
    assert (found["headers"]["A"], found["size"]) == (["1", "2"], 6)


def test_subjects_only_shows_one_subject_a_line(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.subj.>", "--subjects-only", "--count", "2")
    asker.send("t.subj.a", b"1", reply=b"")
    asker.send("t.subj.b.c", b"2", header=HEADER, reply=b"")
    out, err = ended(program)
    assert out == b"t.subj.a\nt.subj.b.c\n"
    assert without_times(err) == ["Subscribed to [t.subj.>]"]


TIMES = {
    "--timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d ",
    "-t": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d ",
    "--delta-time": r"\+\d+\.\d{6}s ",
    "-d": r"\+\d+\.\d{6}s ",
}


@pytest.mark.parametrize("flag", TIMES)
def test_the_time_of_a_message_is_shown_as_asked(subscribe: Subscribe, asker: Asker, flag: str) -> None:
    logged, subjects = (
        subscribe("t.time", flag, "--count", "1"),
        subscribe("t.time", "--subjects-only", flag, "--count", "1"),
    )
    asker.send("t.time", b"x", reply=b"")
    assert re.fullmatch(TIMES[flag] + r"\[#1\] Received on \[t\.time\]", ended(logged)[1].splitlines()[1])
    assert re.fullmatch(TIMES[flag] + r"t\.time\n", ended(subjects)[0].decode())


def test_a_queue_group_shares_the_messages(subscribe: Subscribe, asker: Asker) -> None:
    members = [subscribe("t.queue", "--queue", "g", "--raw"), subscribe("t.queue", "-q", "g", "--raw")]
    asker.send("t.queue", *[b"%d" % n for n in range(200)], reply=b"")

    def received() -> list[bytes]:
        return [line for member in members for line in member.stdout_bytes().split()]

    members[0].wait_until(lambda: len(received()) >= 200, "200 messages")
    assert [member.stop() for member in members] == [0, 0]
    assert sorted(map(int, received())) == list(range(200))
    assert all(member.stdout_bytes() for member in members)
    assert 'Subscribed to [t.queue] in group "g"' in members[0].stderr_text()


def test_count_ends_after_exactly_so_many(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.count.a", "t.count.b", "--count", "1000", "--raw")
    for subject in ("t.count.a", "t.count.b"):
        asker.send(subject, *[b"%d" % n for n in range(700)], reply=b"")
    assert len(ended(program)[0].split()) == 1000


def test_wait_ends_when_nothing_comes(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.wait", "--wait", "400ms", "--raw")
    for _ in range(4):
        asker.send("t.wait", b"x", reply=b"")
        threading.Event().wait(0.2)
        assert program.status is None
    assert ended(program)[0] == b"x\n" * 4


def test_wait_before_count_is_reached_exits_4(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.wait.count", "--wait", "300ms", "--count", "3")
    asker.send("t.wait.count", b"x", reply=b"")
    out, err = ended(program, 4)
    assert out == b"x\n"
    assert "timeout: 1 of 3 messages, none more within 300ms" in err


def test_ignored_subjects_are_not_shown_and_not_counted(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe(
        "t.ign.>",
        "--subjects-only",
        "--count",
        "2",
        "-I",
        "t.ign.a.*,t.ign.b",
        "--ignore-subject",
        "t.ign.c.>",
    )
    for name in ("a.1", "a.1.2", "b", "c.d.e", "c"):
        asker.send(f"t.ign.{name}", b"", reply=b"")
    out, err = ended(program)
    assert out == b"t.ign.a.1.2\nt.ign.c\n"
    assert "ignoring [t.ign.a.*, t.ign.b, t.ign.c.>]" in err


def test_an_inbox_is_made_and_named(runner: Runner, nats_server: Server, asker: Asker) -> None:
    program = runner.spawn("sub", "--inbox", "--count", "1", server=nats_server, ready="Subscribed to")
    found = re.search(r"Subscribed to \[(_INBOX\.\w+)\]", program.stderr_text())
    assert found
    asker.send(found[1], b"x", reply=b"")
    assert ended(program)[0] == b"x\n"


# -- matching replies ------------------------------------------------------------------------------------------------


def test_replies_are_shown_after_their_requests(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.match", "--match-replies", "--count", "3", "--json")
    asker.send("t.match", b"first", reply=b"_INBOX.m.1")
    asker.send("t.match", b"alone", reply=b"")
    asker.send("t.match", b"second", reply=b"_INBOX.m.2")
    asker.send("_INBOX.m.2", b"re: second", reply=b"")
    asker.send("_INBOX.m.1", b"re: first", reply=b"")
    found = [json.loads(line) for line in ended(program)[0].splitlines()]
    assert [(f["number"], f["data"], f.get("matched", False)) for f in found] == [
        (2, "alone", False), (3, "second", False), (3, "re: second", True), (1, "first", False), (1, "re: first", True),
    ]  # fmt: skip


def test_a_message_to_be_acknowledged_waits_for_no_reply(
    subscribe: Subscribe, runner: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory("", "-js", "-sd", str(tmp_path / "js"))
    program = subscribe("pushed", "--match-replies", "--count", "2", "--raw", server=server)
    push = '{"stream_name":"S","config":{"name":"C","deliver_subject":"pushed","ack_policy":"explicit"}}'
    for subject, body in (
        ("$JS.API.STREAM.CREATE.S", '{"name":"S","subjects":["s"]}'),
        ("$JS.API.CONSUMER.CREATE.S.C", push),
        ("s", "of a stream"),
    ):
        assert runner("request", subject, body, server=server).status == 0
    program.wait_until(lambda: program.stdout_bytes() == b"of a stream\n", "the message")
    with Asker(server) as asker:
        asker.send("pushed", b"ask", reply=b"_INBOX.pushed")
        asker.send("_INBOX.pushed", b"answer", reply=b"")
        out, err = ended(program)
    assert out == b"of a stream\nask\nanswer\n"
    assert "without a reply" not in err


@pytest.mark.parametrize("dumped", [False, True])
def test_an_acknowledgement_of_a_stream_is_not_all_that_is_shown(
    subscribe: Subscribe, runner: Runner, server_factory: Callable[..., Server], tmp_path: Path, dumped: bool
) -> None:
    server, folder = server_factory("", "-js", "-sd", str(tmp_path / "js")), tmp_path / "dumped"
    create = ("$JS.API.STREAM.CREATE.ORDERS", '{"name":"ORDERS","subjects":["orders.>"]}')
    assert runner("request", *create, server=server).status == 0
    how = ("--dump", str(folder)) if dumped else ("--json",)
    program = subscribe("orders.>", "--match-replies", "--count", "2", *how, "--timeout", "2s", server=server)
    with Asker(server) as asker, Asker(server) as service:
        service.listen("orders.new")
        asker.send("orders.new", b"tea", reply=b"_INBOX.s.1")
        request = service.request()
        seen = (folder / "1_acknowledgement.json").exists if dumped else partial(shows, program, 2)
        program.wait_until(seen, "the acknowledgement")
        service.write(request.answer(b"", b"made tea"))
        asker.send("orders.other", b"", reply=b"_INBOX.s.2")
        out, err = ended(program)
    assert "without a reply" not in err
    if dumped:
        names = ["1.json", "1_acknowledgement.json", "1_reply.json", "2.json", "2_acknowledgement.json"]
        assert sorted(path.name for path in folder.iterdir()) == names
        assert json.loads((folder / "1_reply.json").read_text())["data"] == "made tea"
        return
    shown = [json.loads(line) for line in out.splitlines()]
    assert [(each["number"], each.get("matched", False)) for each in shown[:2]] == [(1, False), (1, True)]
    assert (1, "made tea", True) in [(each["number"], each["data"], each.get("matched")) for each in shown]
    streams = [each["number"] for each in shown if (each.get("json") or {}).get("stream") == "ORDERS"]
    assert streams == [1, 2]


def shows(program: Program, lines: int) -> bool:
    return program.stdout_bytes().count(b"\n") >= lines


def test_matched_replies_are_named_as_such(
    subscribe: Subscribe, server_factory: Callable[..., Server]
) -> None:
    server = server_factory()  # all that is sent to one that is shared would be seen too
    program = subscribe(">", "--match-replies", "--count", "1", "-I", "_INBOX.>", server=server)
    with Asker(server) as asker:
        asker.send("t.match.text", b"ask", reply=b"_INBOX.mt")
        asker.send("_INBOX.mt", b"answer", header=HEADER, reply=b"")
        out, err = ended(program)
    assert out == b"ask\nanswer\n"
    assert without_times(err)[1:] == [
        "[#1] Received on [t.match.text] with reply [_INBOX.mt]", "[#1] Matched reply on [_INBOX.mt]",
        "A: 1", "A: 2", "Empty:", "",
    ]  # fmt: skip


def test_requests_without_a_reply_are_shown_at_the_end(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.unmatched", "--match-replies", "--count", "2", "--raw", "--timeout", "1s")
    asker.send("t.unmatched", b"one", reply=b"_INBOX.u.1")
    asker.send("t.unmatched", b"two", reply=b"_INBOX.u.2")
    asker.send("_INBOX.u.2", b"answer", reply=b"")
    out, err = ended(program)
    assert out == b"two\nanswer\none\n"
    assert "requests without a reply: 1" in err


# -- translating -----------------------------------------------------------------------------------------------------


def test_translate_shows_what_the_command_writes(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.tr.*", "--translate", "sed 's/^/{{Subject}}: /'", "--raw", "--count", "2")
    asker.send("t.tr.a", b"one", reply=b"")
    asker.send("t.tr.b", b"two", reply=b"")
    assert ended(program)[0] == b"t.tr.a: one\nt.tr.b: two\n"


def test_a_payload_that_cannot_be_translated_is_shown_as_it_came(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.trf", "--translate", "grep good", "--raw", "--count", "3")
    asker.send("t.trf", b"good", b"bad", b"good", reply=b"")
    out, err = ended(program, 1)
    assert out == b"good\n\nbad\ngood\n\n"
    assert "[#2] the command failed with status 1" in err


@pytest.mark.parametrize("subject", ["-n", "--version", "a\0b"])
def test_a_subject_never_becomes_an_option_of_the_command_or_holds_it_up(
    subscribe: Subscribe, server_factory: Callable[..., Server], subject: str
) -> None:
    server = server_factory()  # all subjects of one token of one that is shared would be seen too
    how = ("--translate", "echo {{Subject}}", "--raw", "--count", "2")
    program = subscribe("*", "t.tropt", *how, server=server)
    with Asker(server) as asker:
        asker.send(subject, b"as it came", reply=b"")
        asker.send("t.tropt", b"", reply=b"")
        out, err = ended(program, 1)
    assert out == b"as it came\nt.tropt\n\n"
    assert "[#1] " in err
    assert "would become an option" in err or "cannot run 'echo': embedded null byte" in err


def test_translate_works_with_dump(subscribe: Subscribe, asker: Asker, runner: Runner) -> None:
    program = subscribe("t.trd", "--translate", "tr a-z A-Z", "--dump", "saved", "--count", "1")
    asker.send("t.trd", b"x", reply=b"")
    ended(program)
    assert json.loads((runner.directory / "saved" / "1.json").read_text())["data"] == "X"


# -- saving ----------------------------------------------------------------------------------------------------------


def test_dump_saves_each_message_to_a_numbered_file(
    subscribe: Subscribe, asker: Asker, runner: Runner
) -> None:
    program = subscribe("t.dump.>", "--dump", "a/saved", "--count", "3", "--match-replies")
    for subject in ("t.dump./tmp/escaped", "t.dump.-rf", "t.dump.\x1b[31m"):
        reply = b"_INBOX.d.1" if subject.endswith("rf") else b""
        asker.send(subject, b"\xff", header=HEADER, reply=reply)
    asker.send("_INBOX.d.1", b"answer", reply=b"")
    out, _ = ended(program)
    folder = runner.directory / "a" / "saved"
    assert out == b""
    assert sorted(os.listdir(folder)) == ["1.json", "2.json", "2_reply.json", "3.json"]
    assert os.listdir(runner.directory) == ["a"]
    assert (folder.stat().st_mode & 0o777, (folder / "1.json").stat().st_mode & 0o777) == (0o700, 0o600)
    first, answer = (
        json.loads((folder / "1.json").read_text()),
        json.loads((folder / "2_reply.json").read_text()),
    )
    assert (first["subject"], first["data"], first["encoding"]) == ("t.dump./tmp/escaped", "/w==", "base64")
    assert (answer["number"], answer["matched"], answer["data"]) == (2, True, "answer")


def test_dump_to_stdout_ends_each_message_with_nul(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.nul", "--dump", "-", "--count", "2")
    asker.send("t.nul", b"a\nb", b"c", reply=b"")
    first, second, rest = ended(program)[0].split(b"\0")
    assert (json.loads(first)["data"], json.loads(second)["data"], rest) == ("a\nb", "c", b"")


def test_dump_never_replaces_a_file(subscribe: Subscribe, asker: Asker, runner: Runner) -> None:
    folder = runner.directory / "saved"
    program = subscribe("t.dump.again", "--dump", "saved")
    (folder / "2.json").symlink_to("/dev/full")
    asker.send("t.dump.again", b"a", b"b", reply=b"")
    _, err = ended(program, 1)
    assert "cannot save a message: file exists (saved/2.json)" in err
    again = runner("sub", "x", "--dump", "saved", server="nats://127.0.0.1:1")
    assert again.status == 2
    assert "'saved' holds saved messages already: 1.json (--dump)" in again.stderr


def test_dump_to_what_is_no_folder_is_bad_input(pynats: Runner) -> None:
    (pynats.directory / "file").write_text("")
    run = pynats("sub", "x", "--dump", "file", server="nats://127.0.0.1:1")
    assert (run.status, run.errors) == (
        2,
        ["pynats: error: cannot save messages to 'file': file exists (--dump)"],
    )


# -- counting by subject ---------------------------------------------------------------------------------------------


def test_the_report_counts_messages_and_bytes_by_subject(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.rep.>", "--report-subjects", "--report-top", "2", "--count", "6")
    for name, count in (("c", 1), ("b", 2), ("a\x1b[31m", 3)):
        asker.send(f"t.rep.{name}", *[b"x" * 1000] * count, reply=b"")
    out, _ = ended(program)
    assert out.decode().splitlines() == [
        "SUBJECT          MESSAGES  BYTES",
        r"t.rep.a\x1b[31m  3         3 kB",
        "t.rep.b          2         2 kB",
        "All 3 subjects   6         6 kB",
    ]  # fmt: skip


def test_the_names_in_the_report_are_bounded_and_the_rest_is_counted_together(
    subscribe: Subscribe, asker: Asker
) -> None:
    program = subscribe("t.long.>", "--report-subjects", "--report-top", "1", "--count", "8000")
    for number in range(8000):
        asker.send(f"t.long.{number}.{'x' * 3000}", b"12345", reply=b"")
    out, _ = ended(program)
    everything = out.decode().splitlines()[-1]
    found = re.fullmatch(r"All ([\d,]+)\+ subjects +8,000 +40 kB", everything)
    assert found, everything
    assert 5000 < int(found[1].replace(",", "")) < 7000


def test_the_report_as_json_is_one_object_a_subject(subscribe: Subscribe, asker: Asker) -> None:
    program = subscribe("t.repj.>", "--report-subjects", "--json", "--count", "3")
    asker.send("t.repj.a", b"xy", b"z", reply=b"")
    asker.send("t.repj.b", b"", reply=b"")
    assert [json.loads(line) for line in ended(program)[0].splitlines()] == [
        {"subject": "t.repj.a", "messages": 2, "bytes": 3}, {"subject": "t.repj.b", "messages": 1, "bytes": 0},
    ]  # fmt: skip


# -- terminals -------------------------------------------------------------------------------------------------------

HOSTILE = b"\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08 \xe2\x80\xae"


def hostile_terminal(runner: Runner, server: Server, *arguments: str) -> bytes:
    """What a terminal gets while somebody publishes hostile messages until `pynats subscribe` ends."""
    stop = threading.Event()

    def publish() -> None:
        with Asker(server) as asker:
            while not stop.wait(0.05):
                asker.send(
                    "t.tty.\x1b[31m\x9b",
                    HOSTILE,
                    header=b"NATS/1.0\r\nA: \x1b[2J\r\n\r\n",
                    reply=b"r.\x1b[0m",
                )

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        status, output = run_on_terminal(runner, "sub", "t.tty.>", *arguments, server=server)
    finally:
        stop.set()
        thread.join()
    assert status == 0
    return output


MODES = {
    "plain": (), "raw": ("--raw",), "json": ("--json",), "headers": ("--headers-only",),
    "subjects": ("--subjects-only",), "report": ("--report-subjects",), "dump": ("--dump", "-"),
    "matching": ("--match-replies", "--timeout", "1s"),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_nothing_from_the_network_drives_the_terminal(
    pynats: Runner, nats_server: Server, mode: tuple[str, ...]
) -> None:
    output = hostile_terminal(pynats, nats_server, "--count", "2", *mode)
    ours = re.sub(rb"\x1b\[[\d;]*[mFJ]", b"", output)  # colours, and the table drawn again
    assert b"\x1b" not in ours
    assert not re.search(
        rb"[\x00-\x08\x0b-\x1f\x7f]",
        ours.replace(b"\r\n", b"\n").replace(b"\0", b"" if "-" in mode else b"\0"),
    )
    assert b"\x9b" not in ours.replace("›".encode(), b"")
    assert b"\x1b[2J\x9b" not in output
    assert b"t.tty." in output


def test_the_report_is_drawn_again_on_a_terminal(pynats: Runner, nats_server: Server) -> None:
    output = hostile_terminal(pynats, nats_server, "--report-subjects", "--wait", "2s", "--count", "30")
    assert len(re.findall(rb"\x1b\[\d+F\x1b\[J", output)) >= 2
    assert b"Top 1 of 1 subjects" in output
    assert b"30" in output.rpartition(b"\x1b[J")[2]


def test_lines_of_the_log_stay_above_the_report(
    runner: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    with on_terminal(runner, "sub", "t.>", "--report-subjects", server=server) as (run, terminal):
        terminal.wait_for(b"Top 0 of 0 subjects")
        server.restart()
        terminal.wait_for(b"Reconnected to")
        with Asker(server) as asker:
            asker.send("t.\x1b[2J." + "long." * 30 + "x", b"x", reply=b"")
            asker.send("t.b", *[b"xx"] * 3, reply=b"")
        terminal.wait_for(b"Top 2 of 2 subjects")
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 0
        terminal.read()
    shown = screen(terminal.shown.decode(), 80)
    top = shown.index("Top 2 of 2 subjects")
    begins = [line.partition(" ")[2].partition(" ")[0] for line in shown[:top]]
    begins = [word for word in begins if word != "cannot"]  # reconnect, while the server is away
    assert begins == ["Subscribed", "Disconnected,", "Reconnected", "not"]
    assert sum("╭" in line for line in shown) == 1
    assert re.match(r"│ t\.b +│ 3 +│ 6 B", shown[top + 4])


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", [*FLAGS["subscribe"][0], *FLAGS["subscribe"][1]])
def test_jetstream_options_are_refused_in_one_line(pynats: Runner, flag: str) -> None:
    value = ["1"] if flag in FLAGS["subscribe"][1] else []
    for name in flag.split():
        run = pynats("sub", "x", name, *value, server="nats://127.0.0.1:1")
        assert (run.status, run.errors) == (
            2,
            [f"pynats: error: pynats has no JetStream ({flag.split()[-1]})"],
        )


EXCLUSIVE = {
    "--raw": (), "--headers-only": (), "--subjects-only": (), "--dump": ("-",), "--report-subjects": (),
}  # fmt: skip
PAIRS = [
    *combinations(EXCLUSIVE, 2), ("--raw", "--json"), ("--json", "--subjects-only"), ("--json", "--dump"),
    ("--timestamp", "--delta-time"), ("--match-replies", "--report-subjects"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_options_that_exclude_each_other_are_bad_input(pynats: Runner, one: str, other: str) -> None:
    words = [word for flag in (one, other) for word in (flag, *EXCLUSIVE.get(flag, ()))]
    run = pynats("sub", "x", *words, server="nats://127.0.0.1:1")
    assert (run.status, run.errors) == (2, [f"pynats: error: {one} and {other} exclude each other"])


BAD = {
    "no subject": ((), "a subject to subscribe to is missing (SUBJECT)"),
    "empty token": (("a..b",), "a subject has no empty token: 'a..b' (SUBJECT)"),
    "inner >": (("ok", "a.>.b"), "the wildcard '>' must be the last token in 'a.>.b' (SUBJECT)"),
    "ignored": (("a", "-I", "b..c"), "a subject has no empty token: 'b..c' (--ignore-subject)"),
    "queue": (("a", "-q", "g h"), "a queue group has no spaces or control characters: 'g h' (--queue)"),
    "translate": (("a", "--translate", "no-such-program"),
                  "cannot run 'no-such-program': not found, or not executable (--translate)"),
    "top": (("a", "--report-top", "0"), "invalid value for '--report-top': 0 is less than 1"),
    "top alone": (("a", "--report-top", "3"), "--report-top needs --report-subjects"),
    "inbox and subject": (("a", "--inbox"), "SUBJECT and --inbox exclude each other"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_found_before_connecting(pynats: Runner, case: str) -> None:
    arguments, message = BAD[case]
    run = pynats("sub", *arguments, server="nats://127.0.0.1:1")
    assert run.status == 2
    assert run.errors[0] == f"pynats: error: {message}"


# -- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_shows_what_was_on_its_way_and_exits_0(
    subscribe: Subscribe, asker: Asker, number: int
) -> None:
    program = subscribe("t.signal", "--raw")
    asker.send("t.signal", *[b"x" * 100] * 20_000, reply=b"")
    asker.ask("t.signal.nobody", b"")  # the server has taken all
    assert program.stop(number) == 0
    assert program.stdout_bytes() == (b"x" * 100 + b"\n") * 20_000
    assert without_times(program.stderr_text()) == ["Subscribed to [t.signal]"]


def test_a_reader_that_goes_away_ends_it(runner: Runner, nats_server: Server, asker: Asker) -> None:
    command = [sys.executable, "-m", "natscli", "sub", "t.head", "--raw"]
    environ = {**runner.environ, "NATS_URL": nats_server.url}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"Subscribed" in process.stderr.readline()
        asker.send("t.head", b"x", reply=b"")
        assert process.stdout.readline() == b"x\n"
        process.stdout.close()
        while process.poll() is None:
            asker.send("t.head", b"x", reply=b"")
            threading.Event().wait(0.02)
        assert process.stderr.read() == b"pynats: error: the output was closed by its reader\n"
    assert process.returncode == 1


def test_a_refused_subscription_exits_6(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory(
        'authorization { users: [{user: u, password: p, permissions: {subscribe: ["ok.>"]}}] }'
    )
    url = f"nats://u:p@127.0.0.1:{server.port}"
    for arguments in (("no",), ("ok.a", "no"), ("ok.a", "--match-replies")):
        run = pynats("sub", *arguments, "-s", url)
        assert run.status == 6
        assert "does not permit" in run.errors[-1]
