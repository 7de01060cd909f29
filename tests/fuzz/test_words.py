"""What is typed: durations, headers, subjects, URLs, templates, command lines of other programs, faults."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from natscli.contexts.format import redact_urls, split_urls, url_secrets
from natscli.contexts.names import validate_name
from natscli.contexts.urls import complete_url
from natscli.duration import format_duration, parse_duration
from natscli.environment import Environment
from natscli.message import headers, micro, subjects
from natscli.message.templates import Facts, compile_template
from natscli.output.columns import crop, shortened, width_of
from natscli.programs.words import RefusedWordError, compile_command, fill
from natscli.reply.options import ReplyOptions
from natscli.reply.responders import faults
from natscli.reply.responders.static import build
from natscli.secrets.redaction import Redactor
from natscli.text import visible, visible_line
from tests.fuzz.examples import attempt, checked, fuzz, made_of, odd, texts

SECRET = "s3cr3t-fuzz"
#: Classes of characters that reorder what is read.
OVERRIDES = {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@fuzz
@given(made_of("ns", "us", "µs", "μs", "ms", "s", "m", "h", "d", "w", " ", ".", "-", "+", "..", "e", "_"))
def test_a_duration_is_seconds_or_one_clear_line(text: str) -> None:
    seconds, error = attempt(ValueError)(parse_duration)(text)
    if seconds is None:
        assert "duration" in error
        return
    assert 0 <= seconds <= 2**63 / 1e9
    assert seconds < 1e-12 or math.isclose(
        parse_duration(format_duration(seconds)), seconds, rel_tol=1e-3, abs_tol=5e-10
    )


@fuzz
@given(
    odd(lambda odd: odd.some(lambda: odd.made_of((":", "a", "Nats-Service-Error", "é", "\r\n", " ", "\t"))))
)
def test_headers_are_refused_or_arrive_as_they_were(values: list[str]) -> None:
    pairs, _ = checked(headers.parse)(values)
    if pairs is None:
        return
    block = headers.encode(pairs)
    assert [(name, _stripped(value)) for name, value in pairs] == list(headers.decode(block))
    assert block.count(b"\r\n") == (len(pairs) + 2 if pairs else 0)


def _stripped(value: str) -> str:
    """A value as it is on its way: bytes without the white space around them."""
    return value.encode("utf-8", "surrogateescape").strip().decode("utf-8", "surrogateescape")


@fuzz
@given(st.one_of(
    st.binary(max_size=60),
    made_of("NATS/1.0", " 503", "\r\n", "Nats-Service-Error", ":", "-Code", "é").map(os.fsencode),
))  # fmt: skip
def test_any_header_block_can_be_read(block: bytes) -> None:
    assert all(name and isinstance(value, str) for name, value in headers.decode(block))
    assert len(headers.status(block)) <= 3
    error = headers.read_service_error(block)
    assert error is None or all(isinstance(part, str) for part in error)


_tokens = st.lists(st.sampled_from(["a", "b", "*", ">"]), min_size=1, max_size=4)


@fuzz
@given(_tokens, _tokens)
def test_covering_and_overlapping_are_what_a_list_of_all_subjects_says(
    mine: list[str], others: list[str]
) -> None:
    def matches(pattern: list[str], subject: tuple[str, ...]) -> bool:
        for at, token in enumerate(pattern):
            if token == ">":
                return len(subject) > at
            if at >= len(subject) or token not in ("*", subject[at]):
                return False
        return len(pattern) == len(subject)

    sound = all(">" not in pattern[:-1] for pattern in (mine, others))
    covers, overlap = (f(".".join(mine), ".".join(others)) for f in (subjects.covers, subjects.overlap))
    if sound:
        every = [s for size in range(1, 6) for s in product("abc", repeat=size)]
        both = [(matches(mine, s), matches(others, s)) for s in every]
        assert covers == all(m for m, o in both if o)
        assert overlap == any(m and o for m, o in both)


@fuzz
@given(made_of(".", "*", ">", "a", " ", "\t", "\x85", "\u3000", "$SRV", "_INBOX", "\udcff"))
def test_a_subject_is_refused_or_one_word_of_the_protocol(subject: str) -> None:
    for check in (subjects.check_publish_subject, subjects.check_subscribe_subject):
        if not checked(check)(subject)[1]:
            assert len(subject.encode().split()) == 1
            assert b"" not in subject.encode().split(b".")
    minimal = subjects.minimal([subject, "a.>", subject])
    assert len(minimal) == len(set(minimal))


_urls = made_of("nats://", "tls://", "ws://", "http://", "://", "user:", "@", ":", "127.0.0.1", "[::1]", "[",
                "]", "4222", ",", "/", "?", "#", "%", "%zz", "%41", "host", " ", "é", "\ud800")  # fmt: skip


@fuzz
@given(_urls)
def test_a_url_is_completed_or_refused(url: str) -> None:
    for part in split_urls(url):
        complete, _ = checked(complete_url)(part)
        if complete is not None:
            assert complete_url(complete) == complete


@fuzz
@given(_urls, _urls)
def test_a_secret_in_a_url_is_never_shown(before: str, after: str) -> None:
    urls = f"{before}nats://user:{SECRET}@{after}"
    assert SECRET not in redact_urls(urls)
    redactor = Redactor()
    redactor.add(*url_secrets(urls))
    assert SECRET not in redactor.redact(urls)


@fuzz
@given(
    made_of("{{", "}}", "Count", ".", "ID", "Random", " ", "10", "100", "Request", "Time", "Unix", "%", "%b", "%%",
            "0", "(", ")", "\n", "\udcff"),
    st.booleans(), st.booleans(), st.binary(max_size=20), st.binary(max_size=20),
)  # fmt: skip
def test_a_template_is_refused_or_can_be_filled(
    text: str, reply: bool, enabled: bool, subject: bytes, request: bytes
) -> None:
    template, error = checked(compile_template)(text, "BODY", reply=reply, enabled=enabled)
    if template is None:
        assert "template" in error
        return
    if re.search(r"Random[ (,]*\d{4}", text):
        return  # as long as was asked for
    filled = template.fill(Facts(3, subject, request))
    if template.is_static:
        assert filled == text.encode("utf-8", "surrogateescape")


@fuzz
@given(
    made_of("echo", " ", "'", '"', "\\", "|", ">", "&", ";", "$X", "`", "*", "{{Request}}", "{{0}}", "\n", "#", "-n"),
    st.binary(max_size=20),
)  # fmt: skip
def test_the_words_of_a_command_are_found_before_they_are_filled_in(line: str, request: bytes) -> None:
    words, _ = checked(compile_command)(line.replace("\0", ""), "--command", enabled=True)
    if words is not None:
        filled, _ = attempt(RefusedWordError)(fill)(words, Facts(0, b"a.b", request))
        assert filled is None or len(filled) == len(words) > 0


@fuzz
@given(
    made_of("10%", "%", ":", "503", "0.2", "1", "..", "ms", "s", "-", " ", ","),
    st.sampled_from(["sleep", "fail", "drop"]),
)
def test_faults_to_inject_are_understood_or_refused(text: str, option: str) -> None:
    options = ReplyOptions(subject="a", body="", **{option: text})  # type: ignore[arg-type]
    wrapped, error = checked(faults.wrap)(build(options, Environment.current()), options)
    assert wrapped is not None or f"--{option}" in error


@fuzz
@given(st.one_of(texts, made_of("1.0.0", "-", "+", "a", ".", "rc.1", "é", "..", "/", "\\", "\n")))
def test_names_ids_and_versions_are_refused_in_words(text: str) -> None:
    for check in (micro.check_name, micro.check_id, micro.check_version):
        assert checked(check)(text, "--service")[1] or not any(c.isspace() for c in text)
    assert checked(validate_name)(text)[1] or os.path.basename(text) == text


@fuzz
@given(
    st.one_of(
        texts,
        made_of("\x1b[2J", "\x9b", "e\u0301", "漢", "\u200d", "\ud800", "\r", "\u202e", "❤\ufe0f", "👩‍👩"),
    ),
    st.integers(1, 40),
)
def test_text_from_elsewhere_drives_no_terminal_and_fits(text: str, columns: int) -> None:
    for shown in (visible_line(text), visible(text).translate({9: "", 10: ""})):
        assert not any(
            unicodedata.category(c) == "Cc" or unicodedata.bidirectional(c) in OVERRIDES for c in shown
        )
    for cut in (crop(visible_line(text), columns), shortened(visible_line(text), columns)):
        assert width_of(cut) <= columns
