"""Help: `-h` is one screen, `--help` is everything, both drawn on a terminal and plain in a pipe."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from natscli.cli.groups import Command, Group
from natscli.cli.help import STYLES, draw, full, plain, short, width_of
from natscli.cli.options import Number, Option, connection_options, option
from natscli.cli.pages import page_of
from natscli.environment import Environment
from tests.cli.test_root import EVERY, all_commands, in_process
from tests.program import Runner

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def context_of(path: list[str]) -> click.Context:
    return next(c for c in all_commands() if c.command_path.split()[1:] == path)


def on_a_terminal(pynats: Runner, *arguments: str, columns: int, **environ: str) -> str:
    """What a run writes to a terminal of that many columns."""
    import fcntl
    import struct
    import termios

    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-m", "natscli", *arguments]
    with subprocess.Popen(
        command, stdin=writer, stdout=writer, stderr=writer, env=pynats.environ | environ
    ) as run:
        os.close(writer)
        shown = b""
        while True:
            try:
                data = os.read(reader, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
    os.close(reader)
    assert run.returncode == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_the_short_help_has_the_common_options_and_how_to_see_the_rest(path: list[str]) -> None:
    command = context_of(path).command
    text = in_process(*path, "-h")[1]
    for param in command.params:
        if isinstance(param, Option) and param.common:
            assert param.opts[0] in text
    connects = any(isinstance(p, click.Option) and "--server" in p.opts for p in command.params)
    assert ("\nConnection: -s, --context, --creds, --timeout, ...; all with --help\n" in text) == connects


def pynats_lines(example: str) -> Iterator[list[str]]:
    """The arguments of each pynats in a shell command line."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars="|&<>;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in ("|", "&&", ";"):
            redirected = [n for n, w in enumerate(words) if w in ("<", ">")]
            words = words[: redirected[0]] if redirected else words
            if words[:1] == ["pynats"]:
                yield words[1:]
            words = []
        else:
            words.append(word)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_the_examples_are_command_lines_that_pynats_takes(
    path: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Command, "invoke", lambda *_: None)  # all is parsed and checked, nothing is run
    for example, _ in page_of(context_of(path)).examples:
        for arguments in pynats_lines(example):
            status, _, errors = in_process(*arguments)
            assert (status, errors) == (0, ""), example


def test_the_full_help_has_every_option_and_example() -> None:
    for path in EVERY:
        ctx = context_of(path)
        text = in_process(*path, "--help")[1]
        for param in ctx.command.params:
            if isinstance(param, click.Option) and not param.hidden:
                assert all(name in text for name in param.opts)
        assert all(command in text for command, _ in page_of(ctx).examples)


def test_a_newcomer_finds_the_walkthrough_in_the_first_screen(pynats: Runner) -> None:
    text = pynats("-h").text
    assert "'pynats learn' shows it step by step" in text
    for command in ("learn", "reply", "request", "context", "server"):
        assert f"\n  {command}" in text
    full = pynats("--help").text
    for words in ("pynats reply ", "pynats request ", "pynats context add ", "pynats server run"):
        assert words in full


def test_the_root_lists_commands_before_options(pynats: Runner) -> None:
    text = pynats("--help").text
    assert (
        text.index("Commands:") < text.index("Examples:") < text.index("Options:") < text.index("Connection:")
    )


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        (("help", "request"), ("request", "--help")),
        (("help", "req"), ("request", "--help")),
        (("help", "ctx", "add"), ("context", "add", "--help")),
        (("version",), ("--version",)),
    ],
)
def test_help_and_version_work_as_commands(
    pynats: Runner, typed: tuple[str, ...], same: tuple[str, ...]
) -> None:
    run = pynats(*typed)
    assert (run.status, run.stderr) == (0, "")
    assert run.stdout == pynats(*same).stdout


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        (("help", "requst"), "no such command 'requst', did you mean 'request'?"),
        (("help", "request", "x"), "pynats request has no commands"),
    ],
)
def test_help_of_what_is_not_there_is_bad_usage(typed: tuple[str, ...], error: str) -> None:
    status, out, errors = in_process(*typed)
    assert (status, out) == (2, "")
    assert errors.splitlines()[0] == f"pynats: error: {error}"


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_a_terminal_gets_the_same_text_drawn_at_its_width_up_to_100(
    pynats: Runner, flag: str, columns: int
) -> None:
    drawn = on_a_terminal(pynats, "request", flag, columns=columns)
    assert "\x1b[" in drawn
    text = ESCAPES.sub("", drawn)
    width = min(columns, 100)
    assert text == pynats("request", flag, env={"COLUMNS": str(width)}).text
    if flag == "--help" and columns >= 80:
        assert width - 12 < max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("arguments", [("--color", "never", "-h"), ("request", "--color", "never", "--help")])
def test_color_never_is_plain_on_a_terminal(pynats: Runner, arguments: tuple[str, ...]) -> None:
    assert "\x1b" not in on_a_terminal(pynats, *arguments, columns=80)


def test_no_color_is_plain_on_a_terminal_and_a_forced_colour_is_drawn_in_a_pipe(pynats: Runner) -> None:
    assert "\x1b" not in on_a_terminal(pynats, "-h", columns=80, NO_COLOR="1")
    assert "\x1b" in pynats("--color", "always", "-h").text
    assert "\x1b" in pynats("-h", env={"CLICOLOR_FORCE": "1"}).text


def test_headings_names_metavars_and_examples_have_their_styles() -> None:
    drawn = draw(full(page_of(context_of(["request"])), 80))
    assert len(set(STYLES.values())) == len(STYLES)
    for text in ("Options:", "--count", "FILE", "pynats request help.please 'I need help!'"):
        assert re.search(rf"\x1b\[[0-9;]+m(-\w, )?{re.escape(text)}", drawn), text


@pytest.mark.parametrize("arguments", [("-h",), ("request", "--help"), ("context", "-h"), ("help", "reply")])
def test_plain_help_loads_no_rich(pynats: Runner, arguments: tuple[str, ...]) -> None:
    assert not modules_of(pynats, *arguments) & {"rich", "asyncio", "nats", "shutil"}


def test_no_help_is_laid_out_when_none_is_asked(pynats: Runner) -> None:
    assert not modules_of(pynats, "context", "ls") & {"natscli.cli.help", "natscli.cli.pages", "rich"}


def modules_of(pynats: Runner, *arguments: str) -> set[str]:
    program = """
import json, sys
from natscli.cli.root import run
from natscli.environment import Environment
run(sys.argv[1:], Environment.current())
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE, env=pynats.environ, timeout=30, check=True,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("columns", "width"), [("", 80), ("200", 100), ("72", 72), ("3", 50), ("x", 80), ("0", 80)]
)
def test_the_width_of_help_is_bounded(columns: str, width: int) -> None:
    environment = Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), {"COLUMNS": columns})
    assert width_of(environment) == width


def probe_help() -> str:
    """The full help of a command with notes, an odd option, and more."""

    @click.command(
        cls=Command,
        examples={"probe x": "one"},
        notes="Table:\n  a  b\n\nA paragraph\nof two lines.",
    )
    @click.argument("names", nargs=-1)
    @option("--an-option-with-a-long-name-indeed", metavar="VALUE", help="Its text. [default: 1]")
    @option("--level", type=click.Choice(["low", "high"]), help="A choice.")
    @connection_options
    def probe(names: tuple[str, ...]) -> None:
        """Probe.

        More about it.
        """

    ctx = click.Context(probe, info_name="probe")
    return plain(full(page_of(ctx), 60, connection=False))


def test_a_command_declares_all_of_its_help_beside_itself() -> None:
    text = probe_help()
    assert text.startswith(
        "Usage: probe [OPTIONS] [NAMES]...\n\nProbe.\n\nMore about it.\n\nExamples:\n  probe x  one\n"
    )
    assert "\n  --an-option-with-a-long-name-indeed VALUE\n" in text
    assert "\n  --level low|high " in text
    assert text.endswith("\nTable:\n  a  b\n\nA paragraph of two lines.\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("reply", "--retries", "3", "s", "x"), "no such option '--retries'"),
        (("request", "--hedaer", "a:b", "s"), "no such option '--hedaer', did you mean '--header'?"),
        (("request", "--time", "3", "s"), "no such option '--time', did you mean '--timeout'?"),
        (("request", "--tls", "s"), "no such option '--tls', did you mean '--tlscert' or '--tlskey'?"),
        (("request", "-Z", "s"), "no such option '-Z'"),
        (("context", "frobnicate"), "no such command 'frobnicate'"),
    ],
)
def test_a_mistyped_word_suggests_at_most_two_and_only_near_ones(
    arguments: tuple[str, ...], error: str
) -> None:
    status, out, errors = in_process(*arguments)
    assert (status, out) == (2, "")
    assert errors.splitlines()[0] == f"pynats: error: {error}"


def test_words_after_the_body_hint_at_quotes() -> None:
    status, out, errors = in_process("request", "help.please", "I", "can't", "wait")
    assert (status, out) == (2, "")
    assert errors.splitlines() == [
        'pynats: error: unexpected argument "can\'t"',
        "  hint: put a body of several words in quotes: 'I can'\\''t wait'",
    ]


def test_words_too_many_without_a_body_are_named() -> None:
    status, _, errors = in_process("context", "ls", "a", "b")
    assert status == 2
    assert errors.splitlines() == [
        "pynats: error: unexpected argument 'a'",
        "  hint: try 'pynats context ls --help'",
    ]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("abc", "'abc' is not a whole number"),
        ("0", "0 is less than 1"),
        ("1.5", "'1.5' is not a whole number"),
    ],
)
def test_a_number_that_is_none_is_said_in_plain_words(value: str, error: str) -> None:
    status, _, errors = in_process("request", "--count", value, "s", "x")
    assert status == 2
    assert errors.splitlines()[0] == f"pynats: error: invalid value for '--count': {error}"


def test_every_number_is_checked_in_plain_words() -> None:
    numbers = (click.types.IntParamType, click.types.FloatParamType, Number)
    for ctx in all_commands():
        for param in ctx.command.params:
            if isinstance(param.type, numbers):
                with pytest.raises(click.BadParameter, match=r"'abc' is not a (whole )?number"):
                    param.type("abc", param, ctx)


def test_a_group_of_click_commands_has_help_too() -> None:
    @click.group(cls=Group)
    def tools() -> None:
        """Tools."""

    @tools.command(short_help="Use one.")
    def one() -> None: ...

    text = plain(short(page_of(click.Context(tools, info_name="tools"))))
    assert "  one  Use one.\n" in text


def test_the_short_help_of_request_names_the_exit_statuses(pynats: Runner) -> None:
    text = pynats("request", "-h").text
    line = "Exit 3 no responders, 4 timeout, 5 connection, 6 refused, 7 error, 8 unexpected"
    assert line in text.splitlines()
    assert "exit-status" in text
