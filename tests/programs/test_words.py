"""Command lines that are meant for a shell are found before anything runs."""

from __future__ import annotations

import os

import pytest

from natscli.errors import InputError
from natscli.programs.words import check_words, find


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ls | wc", "'|'"),
        ("a || b", "'||'"),
        ("a && b", "'&&'"),
        ("sleep 1 &", "'&'"),
        ("a ; b", "';'"),
        ("a; b", "'a;'"),
        ("date > /tmp/x", "'>'"),
        ("date >/tmp/x", "'>/tmp/x'"),
        ("make 2>&1", "'2>&1'"),
        ("sort < x", "'<'"),
        ("echo {{1}} | tr a b", "'|'"),
    ],
)
def test_an_operator_of_the_shell_is_refused_with_a_hint(line: str, word: str) -> None:
    with pytest.raises(InputError) as caught:
        check_words(line, "--command")
    assert word in caught.value.what
    assert caught.value.hint == """for a shell: --command "sh -c '...'\""""


@pytest.mark.parametrize(
    "line",
    [
        "sh -c 'ls | wc > x; date'",
        'sh -c "a \\" | b"',
        "grep '|' x",
        "jq '.a|.b' --arg x \"> y\"",
        "find . -exec ls {} \\;",
        r"echo \| \>",
        "curl http://x/?a=1&b=2",
        "echo a->b",
    ],
)
def test_what_is_quoted_or_inside_a_word_is_for_the_program(line: str) -> None:
    check_words(line, "--command")


@pytest.mark.parametrize("program", ["cd", "export", "source", "if", "while"])
def test_a_builtin_of_the_shell_is_refused_with_a_hint(program: str) -> None:
    with pytest.raises(InputError) as caught:
        find(program, os.environ["PATH"], "--translate")
    assert caught.value.hint == """for a shell: --translate "sh -c '...'\""""


def test_a_program_is_looked_up_in_the_path() -> None:
    assert os.access(find("echo", os.environ["PATH"], "--command"), os.X_OK)
    with pytest.raises(InputError, match="cannot run 'no-such-program'"):
        find("no-such-program", os.environ["PATH"], "--command")
