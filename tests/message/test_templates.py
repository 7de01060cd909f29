"""Templates, as in the Go CLI."""

from __future__ import annotations

import re
import string
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import InputError
from natscli.message.templates import Facts, compile_template
from natscli.programs.words import compile_command


def fill(text: str, *, reply: bool = False, facts: Facts | None = None) -> str:
    return compile_template(text, "BODY", reply=reply).fill(facts or Facts(7)).decode()


@pytest.mark.parametrize("text", ["{{Count}}", "{{Cnt}}", "{{.Count}}", "{{ Count }}", "{{\n.Cnt }}"])
def test_the_count_is_filled_in(text: str) -> None:
    assert fill(text) == "7"


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("{{ID}}", r"[0-9A-Za-z]{22}"),
        ("{{.ID}}", r"[0-9A-Za-z]{22}"),
        ("{{Time}}", r"(1[0-2]|[1-9]):[0-5]\d(AM|PM)"),
        ("{{TimeStamp}}", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"),
        ("{{Unix}}", r"\d{10}"),
        ("{{UnixNano}}", r"\d{19}"),
        ("{{Random 5 5}}", r"[0-9A-Za-z]{5}"),
        ("{{Random 2 4}}", r"[0-9A-Za-z]{2,4}"),
        ("{{Random 4 2}}", r"[0-9A-Za-z]{2,4}"),
        ("{{Random(2, 4)}}", r"[0-9A-Za-z]{2,4}"),
        ("{{Random 0 0}}", r""),
    ],
)
def test_a_field_looks_like_the_go_clis(text: str, pattern: str) -> None:
    assert re.fullmatch(pattern, fill(text))


@pytest.mark.parametrize(
    ("hour", "minute", "shown"),
    [(0, 5, "12:05AM"), (9, 30, "9:30AM"), (12, 0, "12:00PM"), (23, 59, "11:59PM")],
)
def test_the_time_is_a_kitchen_clocks(
    monkeypatch: pytest.MonkeyPatch, hour: int, minute: int, shown: str
) -> None:
    now = time.struct_time((2026, 1, 2, hour, minute, 3, 4, 2, 0))
    monkeypatch.setattr(time, "localtime", lambda: now)
    assert fill("{{Time}}") == shown


@pytest.mark.parametrize(("zone", "end"), [("UTC", "Z"), ("XST-5:30", "+05:30"), ("XST8", "-08:00")])
def test_the_timestamp_has_the_local_zone(monkeypatch: pytest.MonkeyPatch, zone: str, end: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert fill("{{TimeStamp}}").endswith(end)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_ids_are_unique_also_across_threads() -> None:
    template = compile_template("{{ID}}", "BODY", reply=True)
    found: list[bytes] = []

    def work() -> None:
        found.extend([template.fill(Facts(0)) for _ in range(2000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 16_000


def test_a_reply_can_contain_its_request() -> None:
    facts = Facts(0, b"weather.berlin.today", b"50% {{Count}}\xff")
    template = compile_template("{{1}}/{{0}}/{{9}}|{{Request}}|{{.Request}}|{{Count}}%", "BODY", reply=True)
    assert template.fill(facts) == b"berlin/weather/|50% {{Count}}\xff|50% {{Count}}\xff|0%"


@given(st.text().filter(lambda text: "{" not in text))
def test_any_other_text_stays_as_it_is(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    template = compile_template(raw, "BODY", reply=False)
    assert template.is_static
    assert template.fill(Facts(1)) == raw.encode()
    assert fill(f"{raw}{{{{Count}}}}{raw}") == f"{raw}7{raw}"


def test_arguments_that_are_not_utf_8_go_out_as_they_came() -> None:
    assert compile_template("\udcff%", "BODY", reply=False).fill(Facts(1)) == b"\xff%"
    assert compile_template("\udcff%{{Count}}", "BODY", reply=False).fill(Facts(1)) == b"\xff%1"


def test_json_around_a_template_is_no_template() -> None:
    assert fill('{"a":{"n":{{Count}}}}') == '{"a":{"n":7}}'


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("{{Nope}}", 1),
        ("ä{{Count}} {{Nope}}", 12),
        ("{{}}", 1),
        ("a{{Count 1}}", 2),
        ("{{Random 1}}", 1),
        ("{{Random 1 x}}", 1),
        ("{{Random -1 2}}", 1),
        ("{{Request}}", 1),
        ("{{0}}", 1),
        ("{{{Count}}}", 1),
        ("x {{Count", 3),
    ],
)
def test_anything_else_is_refused_with_its_position(text: str, position: int) -> None:
    with pytest.raises(InputError, match=rf"at character {position} \(") as caught:
        compile_template(text, "BODY", reply=False)
    assert caught.value.where == "BODY"


@pytest.mark.parametrize("number", ["67108865", "9999999999", "9" * 26, "9" * 5000])
@pytest.mark.parametrize("text", ["a {{Random 1 %s}}", "a {{Random %s 1}}", "a {{%s}}"])
def test_a_number_larger_than_any_payload_is_refused(text: str, number: str) -> None:
    with pytest.raises(InputError, match=r"^too large a number in the template at character 3 \(") as caught:
        compile_template(text % number, "BODY", reply=True)
    assert "at most 67108864" in caught.value.hint


def test_as_much_as_any_server_takes_can_be_random() -> None:
    template = compile_template("{{Random 67108864 67108864}}", "BODY", reply=False)
    assert len(template.fill(Facts(0))) == 64 * 1024 * 1024


def test_every_letter_comes_in_what_is_random() -> None:
    assert sorted(set(fill("{{Random 99999 99999}}"))) == sorted(string.ascii_letters + string.digits)


def test_the_hint_says_what_is_known() -> None:
    with pytest.raises(InputError) as caught:
        compile_template("{{Nope}}", "BODY", reply=True)
    assert "Random MIN MAX, json.KEY, 0, 1" in caught.value.hint
    assert "--no-templates" in caught.value.hint
    with pytest.raises(InputError) as caught:
        compile_template("{{Nope}}", "BODY", reply=False)
    assert "Request" not in caught.value.hint


def test_templates_can_be_turned_off() -> None:
    template = compile_template("{{Nope}} 100% {{", "BODY", reply=False, enabled=False)
    assert template.is_static
    assert template.fill(Facts(1)) == b"{{Nope}} 100% {{"


def words(line: str, *, facts: Facts | None = None, enabled: bool = True) -> list[bytes]:
    return [word.fill(facts or Facts(3)) for word in compile_command(line, "--command", enabled=enabled)]


def test_a_command_is_split_as_a_shell_would() -> None:
    assert words("""a 'b c' "d e" f\\ g '' 50%""") == [b"a", b"b c", b"d e", b"f g", b"", b"50%"]


def test_a_request_never_becomes_a_second_word() -> None:
    facts = Facts(0, b"s", b"""x "y z"; rm -rf / 'q""")
    assert words("run --with {{Request}} -c='{{Request}}!' {{.Request}}{{1}}", facts=facts) == [
        b"run",
        b"--with",
        facts.request,
        b"-c=" + facts.request + b"!",
        facts.request,
    ]


def test_a_template_with_spaces_is_one_word() -> None:
    assert [len(word) for word in words("a {{ Random 4 4 }}")] == [1, 4]


def test_the_position_in_a_command_is_that_in_the_line() -> None:
    with pytest.raises(InputError, match=r"at character 8 \("):
        compile_command("run 'a {{Nope}}'", "--command")


@pytest.mark.parametrize("line", ["", "  ", "a 'b"])
def test_a_command_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(InputError):
        compile_command(line, "--command")


def test_a_command_without_templates_stays_as_it_is() -> None:
    assert words("echo {{Nope}} {{", enabled=False) == [b"echo", b"{{Nope}}", b"{{"]


def test_a_translation_gets_the_subject_and_nothing_else() -> None:
    command = compile_command("run {{Subject}} {{.Subject}}", "--translate", translate=True)
    assert [word.fill(Facts(0, b"a b")) for word in command] == [b"run", b"a b", b"a b"]
    with pytest.raises(InputError, match=r"at character 5 \(") as caught:
        compile_command("run {{Request}}", "--translate", translate=True)
    assert caught.value.hint == "known templates: Subject"
