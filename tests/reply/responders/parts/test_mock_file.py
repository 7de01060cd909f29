"""The file of `--mock`: what it may hold, and where its mistakes are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from natscli.errors import InputError
from natscli.message.message import Message
from natscli.reply.responders.parts.answers import AnswerTemplate
from natscli.reply.responders.parts.mock_file import MockFile, read
from natscli.reply.responders.responder import Failure
from tests.program import Runner


def mock(tmp_path: Path, *lines: Any, templates: bool = True) -> MockFile:
    path = tmp_path / "mock.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return read(str(path), templates=templates)


def reply(
    answer: AnswerTemplate, subject: bytes = b"a.b", payload: bytes = b"hi", number: int = 3
) -> Message:
    return answer.reply((subject, b"inbox", None, payload), number)


def rule(tmp_path: Path, answer: Any, templates: bool = True) -> AnswerTemplate:
    (found,) = mock(tmp_path, {"subject": "a.*", "reply": answer}, templates=templates).rules
    return found.answers[0]


def test_a_string_is_the_payload_and_rules_are_templates(tmp_path: Path) -> None:
    assert reply(rule(tmp_path, "{{1}} {{Request}} {{Count}}")) == (b"inbox", b"", None, b"b hi 3")
    assert reply(rule(tmp_path, "{{1}}", templates=False))[3] == b"{{1}}"


def test_null_is_no_reply(tmp_path: Path) -> None:
    assert rule(tmp_path, None).silent


def test_a_recorded_reply_is_never_a_template(tmp_path: Path) -> None:
    exchange = {
        "subject": "a",
        "request": {"data": "{{x"},
        "reply": {"data": "{{1}} {{", "headers": [["A", "{{1}}"]]},
    }
    recorded = mock(tmp_path, exchange).recorded
    ((answer,),) = recorded.values()
    assert list(recorded) == [(b"a", b"{{x")]
    assert reply(answer)[2:] == (b"NATS/1.0\r\nA: {{1}}\r\n\r\n", b"{{1}} {{")


def test_headers_are_an_object_or_pairs_and_may_be_templates(tmp_path: Path) -> None:
    for given in (
        {"A": "{{1}}", "b": ["1", "50%"], "a": "2"},
        [["A", "{{1}}"], ["b", "1"], ["b", "50%"], ["a", "2"]],
    ):
        block = reply(rule(tmp_path, {"headers": given, "data": ""}))[2]
        assert block == b"NATS/1.0\r\nA: b\r\nb: 1\r\nb: 50%\r\na: 2\r\n\r\n"


def test_a_header_cannot_be_ended_by_a_request(tmp_path: Path) -> None:
    block = reply(rule(tmp_path, {"headers": {"A": "{{Request}}"}}), payload=b"1\r\nEvil: yes")[2]
    assert block == b"NATS/1.0\r\nA: 1  Evil: yes\r\n\r\n"


def test_an_empty_header_block_is_kept(tmp_path: Path) -> None:
    assert reply(rule(tmp_path, {"headers": [], "data": ""}))[2] == b"NATS/1.0\r\n\r\n"
    assert reply(rule(tmp_path, {"data": ""}))[2] is None


def test_json_is_sent_as_json_and_what_is_filled_in_stays_inside_its_string(tmp_path: Path) -> None:
    answer = rule(tmp_path, {"json": {"asked": "{{Request}}", "ö": [1, None]}})
    _, _, block, payload = reply(answer, payload=b'"}\xff')
    assert json.loads(payload) == {"asked": '"}\ufffd', "ö": [1, None]}
    assert block == b"NATS/1.0\r\nContent-Type: application/json\r\n\r\n"
    answer = rule(tmp_path, {"json": 1, "headers": {"content-type": "text/plain"}})
    assert reply(answer)[2:] == (b"NATS/1.0\r\ncontent-type: text/plain\r\n\r\n", b"1")


def test_binary_is_base64(tmp_path: Path) -> None:
    answer = rule(tmp_path, {"data_base64": "AP8=", "headers_base64": "TkFUUy8xLjANCkE6MQ0KDQo="})
    assert reply(answer)[2:] == (b"NATS/1.0\r\nA:1\r\n\r\n", b"\0\xff")


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"status": 404}, 404, "not found"),
        ({"status": 799}, 799, "error 799"),
        ({"error": "no order"}, 500, "no order"),
        ({"status": 409, "error": "no\r\n order {{1}}"}, 409, "no order b"),
    ],
)
def test_status_and_error_become_the_headers_of_a_service_error(
    tmp_path: Path, given: dict[str, Any], code: int, text: str
) -> None:
    answer = rule(tmp_path, {**given, "data": "x"})
    block = f"NATS/1.0\r\nNats-Service-Error: {text}\r\nNats-Service-Error-Code: {code}\r\n\r\n"
    assert reply(answer)[2:] == (block.encode(), b"x")
    assert answer.failure is not None
    assert (answer.failure.code, answer.failure.notice) == (code, "")


def test_a_recorded_error_counts_as_one(tmp_path: Path) -> None:
    answer = rule(tmp_path, {"headers": {"nats-service-error": "teapot", "Nats-Service-Error-Code": "418"}})
    assert answer.failure == Failure(418, "teapot", notice="")


@pytest.mark.parametrize(("given", "seconds"), [("1m30s", 90.0), ("250ms", 0.25), (2, 2.0), (0.5, 0.5)])
def test_a_delay_is_a_duration_or_seconds(tmp_path: Path, given: Any, seconds: float) -> None:
    assert rule(tmp_path, {"data": "", "delay": given}).delay == seconds


def test_replies_to_the_same_request_keep_their_order(tmp_path: Path) -> None:
    recorded = mock(
        tmp_path,
        *({"subject": "a", "request": "x", "reply": f"{number}"} for number in range(3)),
        {"subject": "a", "request": {"data_base64": "eA=="}, "reply": "3"},
        {"subject": "a", "request": "y", "reply": "other"},
    ).recorded
    assert [reply(answer)[3] for answer in recorded[b"a", b"x"]] == [b"0", b"1", b"2", b"3"]


def test_the_subjects_to_listen_on_do_not_cover_each_other(tmp_path: Path) -> None:
    known = ("a.b", "a.*", "c", "a.*", "d.>", "d.e.f", "d.e.*", "*.x")
    found = mock(tmp_path, *({"subject": subject, "reply": ""} for subject in known)).subjects
    assert found == ["a.*", "c", "d.>", "*.x"]


def test_remarks_empty_lines_and_objects_of_several_lines_are_read(tmp_path: Path) -> None:
    lines = [
        "# orders",
        "",
        '{"subject":',
        '  "a",  "reply": "x"}',
        '{"subject": "b", "reply": "y"}',
        "# end",
    ]
    assert [rule.subject for rule in mock(tmp_path, *lines).rules] == ["a", "b"]


MISTAKES = {
    "not JSON": ('{"subject": "a", reply: ""}', 18, "not JSON: expecting property name"),
    "cut off": ('{"subject": "a", "reply": "x', 27, "the file ends in the middle of an object"),
    "no object": ("[]", 1, "expected an object"),
    "no subject": ('{"reply": ""}', 1, "'subject' is missing"),
    "no reply": ('{"subject": "a"}', 1, "'reply' is missing"),
    "unknown key": ('{"subject": "a", "reply": "", "replay": 1}', 31, "unknown key 'replay'"),
    "unknown key below": ('{"subject": "a", "reply": {"data": "", "code": 1}}', 40, "unknown key 'code'"),
    "subject": ('{"subject": "a..b", "reply": ""}', 13, "a subject has no empty token"),
    "subject of a recording": ('{"subject": 5, "request": "", "reply": ""}', 13, "expected a string"),
    "subject type": ('{"subject": 5, "reply": ""}', 13, "expected a string"),
    "reply type": ('{"subject": "a", "reply": 5}', 27, "expected an object, a string or null"),
    "request type": ('{"subject": "a", "request": 5, "reply": ""}', 29, "expected an object"),
    "template": ('{"subject": "a", "reply": {"data": "{{Nope}}"}}', 36, "unknown template {{Nope}}"),
    "two payloads": (
        '{"subject": "a", "reply": {"data": "", "json": 1}}',
        40,
        "data and json exclude each other",
    ),
    "base64": ('{"subject": "a", "reply": {"data_base64": "?"}}', 43, "not base64"),
    "header name": ('{"subject": "a", "reply": {"headers": {"a b": "x"}}}', 47, "invalid header name"),
    "header value": ('{"subject": "a", "reply": {"headers": [["a", "x\\ny"]]}}', 46, "has a line break"),
    "header number": ('{"subject": "a", "reply": {"headers": {"a": ["b", 1]}}}', 51, "expected a string"),
    "header pair": ('{"subject": "a", "reply": {"headers": [["a"]]}}', 40, "expected a name and a value"),
    "header block": ('{"subject": "a", "reply": {"headers_base64": ""}}', 46, "not a header block"),
    "headers type": ('{"subject": "a", "reply": {"headers": "x"}}', 39, "expected an object, or a list"),
    "status": ('{"subject": "a", "reply": {"status": "404"}}', 38, "a status is a number from 100 to 999"),
    "status true": (
        '{"subject": "a", "reply": {"status": true}}',
        38,
        "a status is a number from 100 to 999",
    ),
    "not a number": ('{"subject": "a", "reply": {"json": [NaN]}}', 36, "JSON has neither NaN nor infinity"),
    "delay": ('{"subject": "a", "reply": {"delay": "soon"}}', 37, "is not a duration"),
    "delay type": ('{"subject": "a", "reply": {"delay": null}}', 37, "a delay is a duration"),
    "half a character": ('{"subject": "a", "reply": "\\ud800"}', 27, "half of a character"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_shown_with_line_and_column(tmp_path: Path, name: str) -> None:
    text, column, what = MISTAKES[name]
    with pytest.raises(InputError) as caught:
        mock(tmp_path, '{"subject": "fine", "reply": ""}', text)
    assert what in caught.value.what
    assert caught.value.where == f"{tmp_path / 'mock.jsonl'}, line 2, column {column}"


def test_a_file_that_is_no_text_is_shown_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "mock.jsonl"
    path.write_bytes(
        '{"subject": "a", "reply": "ö"}\n {"\xff'.encode("latin-1").replace(b"\xf6", "ö".encode())
    )
    with pytest.raises(InputError, match="not UTF-8") as caught:
        read(str(path))
    assert caught.value.where == f"{path}, line 2, column 4"


def test_a_file_without_anything_to_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to answer with"):
        mock(tmp_path, "# later")
    with pytest.raises(InputError, match="cannot read"):
        read(str(tmp_path / "missing"))


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused_in_place_of_being_read_without_end(pynats: Runner, path: str) -> None:
    run = pynats("reply", "--mock", path, server="nats://127.0.0.1:1")
    assert (run.status, run.errors) == (2, [f"pynats: error: cannot read {path!r}: not a file (--mock)"])


def test_rules_may_come_from_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"subject": "a", "reply": "b"}')
    os.close(writing)
    assert read(f"/dev/fd/{reading}").subjects == ["a"]
    os.close(reading)


def test_what_can_hardly_be_meant_is_noted(tmp_path: Path) -> None:
    found = mock(
        tmp_path,
        {"subject": "a.*", "reply": "{{1}} {{2}}"},
        {"subject": "a.b", "reply": "hidden"},
        {"subject": "b.>", "request": {"json": {"id": 1}}, "reply": "{{7}}"},
        {"subject": "b.c", "reply": "not hidden"},
    ).notes
    assert [note.partition(": ")[2] for note in found] == [
        "a subject like 'a.*' has no token {{2}}",
        "this rule never answers, because 'a.*' before it does",
    ]
    assert "line 2" in found[1]
