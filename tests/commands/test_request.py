"""The command line of `pynats request`: what is refused, before connecting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.program import Runner

NOWHERE = "nats://127.0.0.1:1"

BAD_INPUT = {
    "an empty token": (["a..b", "x"], "a subject has no empty token: 'a..b' (SUBJECT)"),
    "a wildcard": (["a.*", "x"], "a request needs one subject, and 'a.*' has the wildcard '*' (SUBJECT)"),
    "the last wildcard": (["a.>", "x"], "wildcard '>'"),
    "no subject": (["", "x"], "a subject cannot be empty (SUBJECT)"),
    "a space": (["a b", "x"], "a subject has no spaces or control characters: 'a b' (SUBJECT)"),
    "a line break": (["a\r\nPUB b 0", "x"], r"'a\r\nPUB b 0'"),
    "not UTF-8": (["a\udcff", "x"], "control characters"),
    "an unknown template": (["s", "a {{Nope}}"], "unknown template {{Nope}} at character 3 (BODY)"),
    "one in the subject": (["s.{{Nope}}", "x"], "unknown template {{Nope}} at character 3 (SUBJECT)"),
    "one in a header": (
        ["s", "x", "-H", "A:{{Nope}}"],
        "unknown template {{Nope}} at character 1 (--header)",
    ),
    "one for replies": (["s", "{{Request}}"], "unknown template {{Request}} at character 1 (BODY)"),
    "an open template": (["s", "a {{Count"], "unclosed '{{' in the template at character 3 (BODY)"),
    "an empty filled-in subject": (["a.{{Random 0 0}}", "x"], "a subject has no empty token: 'a.'"),
    "a header with CRLF": (["s", "x", "-H", "A:1\r\nB:2"], "the value of header 'A' has a line break in it"),
    "a header with LF": (["s", "x", "-H", "A:1\nB:2"], "line break"),
    "a header name with a space": (["s", "x", "-H", "A b:1"], "invalid header name 'A b'"),
    "a header name with CRLF": (["s", "x", "-H", "A\r\nB:1"], "invalid header name"),
    "a header without a colon": (["s", "x", "-H", "A"], "invalid header 'A': expected NAME:VALUE"),
    "a header without a name": (["s", "x", "-H", ":1"], "expected NAME:VALUE"),
    "two bodies": (["s", "x", "--body-file", "f"], "BODY and --body-file exclude each other"),
    "a body and stdin": (["s", "x", "--force-stdin"], "BODY and --force-stdin exclude each other"),
    "a body and lines": (["s", "x", "--send-on", "newline"], "BODY and --send-on newline exclude each other"),
    "raw JSON": (["s", "x", "--raw", "--json"], "--raw and --json exclude each other"),
    "raw into a file": (["s", "x", "--raw", "-o", "f"], "--raw and --output exclude each other"),
    "JSON into a file": (["s", "x", "--json", "-o", "f"], "--json and --output exclude each other"),
    "a translation into a file": (
        ["s", "x", "--translate", "cat", "-o", "f"],
        "--translate and --output exclude each other",
    ),
    "the first of so many": (
        ["s", "x", "--first", "2", "--replies", "3"],
        "--replies and --first exclude each other",
    ),
    "the first until empty": (
        ["s", "x", "--first", "2", "--wait-for-empty"],
        "--wait-for-empty and --first exclude each other",
    ),
    "a rate of lines": (
        ["s", "--rate", "5", "--count", "2", "--send-on", "newline"],
        "--rate and --send-on newline exclude each other",
    ),
    "a rate without an end": (["s", "x", "--rate", "5"], "--rate needs --count or --duration"),
    "a ramp without a rate": (["s", "x", "--ramp", "5s", "--count", "2"], "--ramp needs --rate"),
    "a warm-up of one": (
        ["s", "x", "--warmup", "5"],
        "--warmup needs --count or --duration or --send-on newline",
    ),
    "one that fails fast": (["s", "x", "--fail-fast"], "--fail-fast needs --count or --duration"),
    "what to retry, not how often": (["s", "x", "--retry-on", "timeout"], "--retry-on needs --retries"),
    "an unknown failure": (
        ["s", "x", "--retries", "2", "--retry-on", "timeout,sun"],
        "'sun' is not one of no-responders, timeout, connection (--retry-on)",
    ),
    "no rate": (["s", "x", "--count", "2", "--rate", "0"], "a rate must be more than 0 (--rate)"),
    "a rate that is none": (
        ["s", "x", "--count", "2", "--rate", "nan"],
        "a rate must be more than 0 (--rate)",
    ),
    "a rate without numbers": (["s", "x", "--count", "2", "--rate", "fast"], "'fast' is not a number"),
    "a rate that nobody waits for": (
        ["s", "x", "--count", "2", "--rate", "1e-300"],
        "a rate must be more than 0 (--rate)",
    ),
    "a duration of nothing": (["s", "x", "--duration", "0"], "a duration must be more than 0 (--duration)"),
    "no retries": (["s", "x", "--retries", "0"], "0 is less than 1"),
    "many in one file": (
        ["s", "x", "--count", "2", "-o", "f"],
        "needs {n} for the number of each reply (--output)",
    ),
    "replies in one file": (
        ["s", "x", "--replies", "0", "-o", "f"],
        "needs {n} for the number of each reply",
    ),
    "a file in no folder": (["s", "x", "-o", "gone/f"], "no such directory: 'gone' (--output)"),
    "a folder as a summary": (["s", "x", "--summary-json", "."], "'.' is a directory (--summary-json)"),
    "a log in no folder": (["s", "x", "--hdr", "gone/f"], "no such directory: 'gone' (--hdr)"),
    "a missing file": (
        ["s", "--body-file", "gone"],
        "cannot read 'gone': no such file or directory (--body-file)",
    ),
    "a folder": (["s", "--body-file", "."], "cannot read '.': is a directory (--body-file)"),
    "a missing program": (
        ["s", "x", "--translate", "gone -x"],
        "cannot run 'gone': not found, or not executable",
    ),
    "no duration": (["s", "x", "--timeout", "soon"], "'soon' is not a duration"),
    "no time": (
        ["s", "x", "--reply-timeout", "0"],
        "a timeout must be more than 0 (--reply-timeout)",
    ),
    "no requests": (["s", "x", "--count", "0"], "0 is less than 1"),
    "no concurrency": (["s", "x", "--concurrency", "0"], "0 is less than 1"),
    "fewer than no replies": (["s", "x", "--replies", "-1"], "-1 is less than 0"),
    "an unknown moment": (["s", "--send-on", "tab"], "'tab' is not one of"),
    "an unknown option": (["s", "x", "--hader", "A:1"], "--header"),
    "no arguments": ([], "missing argument 'SUBJECT'"),
    "too many": (["s", "x", "y"], "unexpected argument 'y'"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_exits_2_before_connecting(pynats: Runner, arguments: list[str], message: str) -> None:
    run = pynats("request", *arguments, server=NOWHERE)
    assert (run.status, run.stdout if "--json" not in arguments else b"") == (2, b"")
    assert run.errors[0].startswith("pynats: error: ")
    assert message in run.errors[0]
    assert "Traceback" not in run.stderr


def test_a_file_that_no_server_takes_exits_2(pynats: Runner, tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    run = pynats("request", "s", "--body-file", str(tmp_path / "f"), server=NOWHERE)
    assert (run.status, "more than 67108864 bytes" in run.errors[0]) == (2, True)


def test_what_is_good_connects(pynats: Runner) -> None:
    assert pynats("request", "s.{{Count}}", "{{ID}}", "-H", "A:{{Time}}", server=NOWHERE).status == 5
    assert pynats("req", "s", "{{Nope}}", "--no-templates", server=NOWHERE).status == 5


def test_the_help_has_examples_templates_and_every_option(pynats: Runner) -> None:
    run = pynats("request", "--help")
    assert run.status == 0
    for text in (
        "Examples:",
        "{{Random 10 100}}",
        "--reply-timeout",
        "--send-on",
        "-r, --raw",
        "-H, --header",
    ):
        assert text in run.text
