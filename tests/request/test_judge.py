"""`--expect` and `--query`, with their exit statuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.program import Run, Runner
from tests.request.responders import Answer, Responders, silent

Ask = Callable[..., Run]
FAILED = b"NATS/1.0\r\nNats-Service-Error-Code: 404\r\nNats-Service-Error: not found\r\n\r\n"


def test_what_is_as_expected_exits_0(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b'{"status": "ok", "total": 17}'])
    run = ask(
        subject, "x", "--expect", 'json["status"] == "ok"', "--expect", "rtt < 5 and size < 100", "--raw"
    )
    assert (run.status, run.stdout, run.errors) == (0, b'{"status": "ok", "total": 17}', [])


def test_what_is_not_exits_8_with_the_value(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b'{"status": "failed"}'])
    run = ask(subject, "x", "--expect", "size > 0", "--expect", 'json["status"] == "ok"', "--raw")
    assert (run.status, run.stdout) == (8, b'{"status": "failed"}')
    assert run.errors == [
        f"""pynats: error: expected json["status"] == "ok", got 'failed' ({subject})""",
    ]
    run = ask(subject, "x", "--expect", "not json", "--json")
    assert (run.objects[-1]["error"], run.objects[-1]["status"]) == ("unexpected", 8)


def test_each_reply_of_each_request_is_judged(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [request.payload, b"9"])
    arguments = ("{{Count}}", "--count", "5", "--replies", "2", "--expect", 'text in ("1", "2", "9")')
    run = ask(subject, *arguments, "--quiet")
    assert run.status == 8
    assert [line.partition("]")[0] for line in run.errors] == [
        f"pynats: error: [#{number}" for number in (3, 4, 5)
    ]
    run = ask(subject, *arguments, "--concurrency", "2", "--expect", "1")
    assert "answered 2, failed 3 (3 unexpected)" in run.stderr
    run = ask(subject, *arguments[:3], "--processes", "2", "--expect", 'text != "4"')
    assert (run.status, "failed 1 (1 unexpected)" in run.stderr) == (8, True)


def test_an_error_that_is_expected_is_none(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [Answer(b"", FAILED)])
    assert ask(subject, "x", "--expect", "rtt < 5").status == 7
    assert ask(subject, "x", "--expect", 'error == "404: not found"').status == 0
    assert ask(subject, "x", "--expect", "error is None").status == 8


def test_without_a_reply_there_is_nothing_to_judge(ask: Ask, responders: Responders) -> None:
    assert ask("nobody.home", "x", "--expect", "False").status == 3
    assert ask(responders(silent), "x", "--expect", "False", "--timeout", "200ms").status == 4


def test_a_query_takes_the_place_of_the_payload(ask: Ask, responders: Responders) -> None:
    subject = responders(
        lambda request: [b'{"items": [{"name": "a", "price": 2}, {"name": "b", "price": 3}]}']
    )
    for query, written in {
        '[item["name"] for item in json["items"]]': b'["a", "b"]\n',
        'json["items"][0]["name"]': b"a\n",
        "size": b"65\n",
        "data[:2]": b'{"\n',
    }.items():
        assert ask(subject, "x", "--query", query, "--quiet").stdout == written
        assert ask(subject, "x", "--query", query, "--raw").stdout == written.removesuffix(b"\n")
    run = ask(subject, "x", "--query", 'json["nothing"]', "--quiet")
    assert (run.status, run.stdout) == (8, b"")
    assert run.errors == [f"""pynats: error: --query json["nothing"]: KeyError: 'nothing' ({subject})"""]


def test_a_query_that_fails_is_a_failure(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [b"{}"])
    many = (subject, "x", "--query", 'json["a"]', "--count", "3")
    for failed, options in ((3, ()), (3, ("--concurrency", "2")), (1, ("--fail-fast",))):
        run = ask(*many, *options)
        assert (run.status, f"failed {failed} ({failed} unexpected)" in run.stderr) == (8, True), run.stderr
    assert ask(*many, "--fail-if", "failed > 0", "--quiet").status == 8
    both = ask(subject, "x", "--query", 'json["a"]', "--expect", "False", "--quiet")
    assert both.errors == [f"pynats: error: expected False, got False ({subject})"]
    # An error of the service is said once, whatever --query makes of it.
    failing = ask(responders(lambda request: [Answer(b"", FAILED)]), "x", "--query", "json", "--quiet")
    assert (failing.status, len(failing.errors), "404" in failing.errors[0]) == (7, 1, True)
    shown = ask(responders(lambda request: [Answer(b"", FAILED)]), "x", "--query", "error", "--quiet")
    assert (shown.status, shown.stdout) == (7, b"404: not found\n")


def test_a_query_writes_json_or_says_of_which_request_it_cannot(ask: Ask, responders: Responders) -> None:
    block = b"NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n"
    subject = responders(lambda request: [Answer(request.payload, block)])
    shown = ask(subject, "x", "--json").objects[0]["headers"]
    assert ask(subject, "x", "--query", "headers", "--quiet").objects == [shown] == [{"A": ["1", "2"]}]
    assert ask(subject, "x", "--query", "set(data)", "--quiet").objects == [[120]]
    for text, why in {
        "10**5000": "a number has too many digits",
        "float('nan')": "it has neither NaN nor infinity",
        "len": "builtin_function_or_method <built-in function len>",
    }.items():
        said = f"--query {text}: no JSON: {why} ({subject})"
        run = ask(subject, "x", "--query", text, "--quiet")
        assert (run.status, run.stdout, run.errors) == (8, b"", [f"pynats: error: {said}"])
        run = ask(subject, "x", "--query", text, "--count", "2", "--quiet")
        assert (run.status, run.stdout) == (8, b"")
        assert run.errors == [f"pynats: error: [#{number}] {said}" for number in (1, 2)]


@pytest.mark.parametrize("text", ["10**5000 == 1", "exit()", "json[10**5000]", "text * 1_500_000 == 1"])
def test_an_odd_value_is_not_as_expected(ask: Ask, responders: Responders, text: str) -> None:
    run = ask(responders(lambda request: [b'{"a": 1}']), "x", "--expect", text, "--raw")
    assert (run.status, run.stdout, len(run.errors)) == (8, b'{"a": 1}', 1)
    assert f"expected {text}, got " in run.errors[0]
    assert len(run.errors[0]) < 400


@pytest.mark.parametrize("option", ["--expect", "--query"])
def test_what_is_no_expression_is_found_before_connecting(pynats: Runner, option: str) -> None:
    run = pynats("request", "s", "x", option, "json[", "-s", "nats://127.0.0.1:1")
    assert (run.status, run.errors[0]) == (
        2,
        f"pynats: error: '[' was never closed at character 5 of 'json[' ({option})",
    )
