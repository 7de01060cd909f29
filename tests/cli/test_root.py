"""The root command: what it lists, what it accepts where, and how it answers mistakes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from natscli.cli.groups import Command, Group
from natscli.cli.help import plain, short
from natscli.cli.options import App, connection_options
from natscli.cli.pages import page_of
from natscli.cli.root import ALIASES, COMMANDS, cli, run
from natscli.environment import Environment
from natscli.errors import EXIT_STATUS_HELP
from tests.program import Runner
from tests.servers import Server, free_port


def walk(ctx: click.Context) -> Iterator[click.Context]:
    """The contexts of a command and of all commands below it."""
    yield ctx
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            command = ctx.command.get_command(ctx, name)
            assert command is not None
            yield from walk(click.Context(command, parent=ctx, info_name=name))


def all_commands() -> Iterator[click.Context]:
    """The contexts of `pynats` and of all its commands."""
    # With the settings: click keeps the help option that the first context asks for.
    return walk(click.Context(cli, info_name="pynats", **cli.context_settings))


EVERY = [ctx.command_path.split()[1:] for ctx in all_commands()]


def in_process(*arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a run in this process."""
    out, err = io.BytesIO(), io.BytesIO()
    environment = Environment(io.BytesIO(), out, err, {})
    return run(list(arguments), environment), out.getvalue().decode(), err.getvalue().decode()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_of_a_command_what_it_says_itself(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, Command | Group)
    assert command.name == name
    assert command.get_short_help_str(100).rstrip(".") == COMMANDS[name][1].rstrip(".")


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_help_works_and_fits_100_columns(path: list[str]) -> None:
    for flag in ("-h", "--help"):
        status, text, errors = in_process(*path, flag)
        assert (status, errors) == (0, "")
        assert text.startswith(f"Usage: {' '.join(['pynats', *path])}")
        assert [line for line in text.splitlines() if len(line) > 100] == []


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_the_short_help_is_one_screen_of_24_lines_and_80_columns(path: list[str]) -> None:
    lines = in_process(*path, "-h")[1].splitlines()
    assert len(lines) <= 24, "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("Usage: ")
    assert lines[-1].endswith("--help")


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_the_short_help_has_two_examples_that_say_what_they_do(path: list[str]) -> None:
    page = page_of(next(c for c in all_commands() if c.command_path.split()[1:] == path))
    assert len(page.examples) >= 2
    assert all(command and what for command, what in page.examples)
    shown = plain(short(page))
    assert all(command in shown and what in shown for command, what in page.examples[: page.short_examples])


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_option_says_what_it_is_for(path: list[str]) -> None:
    ctx = next(c for c in all_commands() if c.command_path.split()[1:] == path)
    for param in ctx.command.get_params(ctx):
        if isinstance(param, click.Option):
            assert param.help, param.opts
            assert param.help.endswith((".", "]")), param.opts


def test_the_help_of_a_real_run_is_at_most_100_columns_wide(pynats: Runner) -> None:
    help_text = pynats("--help", env={"COLUMNS": "200"})
    assert help_text.status == 0
    assert 80 < max(map(len, help_text.lines)) <= 100


def test_the_help_lists_commands_aliases_exit_statuses_and_variables(pynats: Runner) -> None:
    text = pynats("--help").text
    in_one_line = " ".join(text.split())
    for name, (_, line) in COMMANDS.items():
        assert f"  {name}" in text
        assert line in in_one_line
    for alias, name in ALIASES.items():
        assert f"{name}, {alias} " in text
    for status, line in EXIT_STATUS_HELP.items():
        assert f"  {int(status)} " in text
        assert line in in_one_line
    for variable in ("NATS_URL", "NATS_CONTEXT", "XDG_CONFIG_HOME", "NO_COLOR"):
        assert variable in text


def test_arguments_are_not_listed_among_the_options(pynats: Runner) -> None:
    assert "  SUBJECT" not in pynats("request", "--help").lines


@pytest.mark.parametrize("group", [(), ("context",), ("server",)])
def test_a_group_without_a_command_shows_its_commands_and_exits_0(
    pynats: Runner, group: tuple[str, ...]
) -> None:
    nothing = pynats(*group)
    assert (nothing.status, nothing.stderr) == (0, "")
    assert nothing.stdout == pynats(*group, "-h").stdout
    assert "Commands:" in nothing.lines
    assert "Examples:" in nothing.lines


def test_options_without_a_command_are_bad_usage(pynats: Runner) -> None:
    run = pynats("--color", "never")
    assert (run.status, run.stdout) == (2, b"")
    assert run.errors[0] == "pynats: error: missing command"


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_its_command(pynats: Runner, alias: str) -> None:
    by_alias, by_name = pynats(alias, "--help"), pynats(ALIASES[alias], "--help")
    assert (by_alias.status, by_alias.stderr) == (0, "")
    assert by_alias.text.partition("\n")[2] == by_name.text.partition("\n")[2]


@pytest.mark.parametrize(
    ("typed", "near"),
    [("rply", "reply"), ("requst", "request"), ("contxt", "context"), ("sever", "server")],
)
def test_a_mistyped_command_suggests_the_near_one(typed: str, near: str) -> None:
    status, out, err = in_process(typed)
    assert (status, out) == (2, "")
    assert err.splitlines()[0] == f"pynats: error: no such command {typed!r}, did you mean {near!r}?"


def test_a_command_like_no_other_suggests_none() -> None:
    status, _, err = in_process("xyzzy")
    assert status == 2
    assert err.splitlines() == ["pynats: error: no such command 'xyzzy'", "  hint: try 'pynats --help'"]


@pytest.mark.parametrize(
    ("arguments", "near"),
    [(("--servr", "x"), "--server"), (("request", "--hedaer", "a:b", "s"), "--header")],
)
def test_a_mistyped_option_suggests_the_near_one(arguments: tuple[str, ...], near: str) -> None:
    status, out, err = in_process(*arguments)
    assert (status, out) == (2, "")
    assert near in err.splitlines()[0]
    assert err.count("\n") == 2


def test_a_missing_argument_is_bad_usage() -> None:
    status, out, err = in_process("request")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "pynats: error: missing argument 'SUBJECT'",
        "  hint: try 'pynats request --help'",
    ]


def flags_of(*arguments: str) -> dict[str, object]:
    """The connection flags that a command named `probe` gets from a command line."""

    @click.group(cls=Group)
    @connection_options
    def root() -> None: ...

    @root.command()
    @connection_options
    def probe() -> None: ...

    app = App(Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), {}))
    root.main(list(arguments), standalone_mode=False, obj=app)
    return app.flags


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-s", "a", "probe"), {"server": "a"}),
        (("probe", "-s", "a"), {"server": "a"}),
        (("-s", "a", "probe", "-s", "b"), {"server": "b"}),
        (("--timeout", "1s", "probe", "--timeout", "300ms"), {"timeout": 0.3}),
        (("--user", "u", "probe", "--tlsfirst"), {"user": "u", "tlsfirst": True}),
        (("--no-context", "probe"), {"no_context": True}),
        (("probe",), {}),
        (("--token", "", "probe"), {"token": ""}),
    ],
)
def test_connection_options_are_taken_before_and_after_the_command_and_the_later_wins(
    arguments: tuple[str, ...], expected: dict[str, object]
) -> None:
    assert flags_of(*arguments) == expected


def test_a_real_request_goes_to_the_server_that_is_named_last(pynats: Runner, nats_server: Server) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    assert pynats("-s", nowhere, "request", "-s", nats_server.url, "nobody.listens", "x").status == 3
    assert pynats("-s", nats_server.url, "request", "-s", nowhere, "nobody.listens", "x").status == 5
    assert pynats("-s", nats_server.url, "request", "nobody.listens", "x").status == 3


@pytest.mark.parametrize("timeout", ["x", "-1s", "5 parsecs"])
def test_a_bad_value_names_the_option_and_the_value(timeout: str) -> None:
    status, _, err = in_process("request", f"--timeout={timeout}", "s", "x")
    assert status == 2
    assert "'--timeout'" in err.splitlines()[0]
    assert repr(timeout) in err.splitlines()[0]


def test_an_error_in_a_command_is_one_line(pynats: Runner, tmp_path: Path) -> None:
    missing = ("request", "s", "--body-file", str(tmp_path / "missing"))
    run = pynats(*missing)
    assert run.status == 2
    assert len([line for line in run.errors if not line.startswith("  hint: ")]) == 1
    # An expected error needs no traceback, whatever is asked for.
    assert pynats("--trace", "context", "info", "missing").stderr.startswith("pynats: error: unknown context")


def test_the_version_is_the_one_of_the_package(pynats: Runner) -> None:
    from natscli import __version__

    assert pynats("--version").lines == [f"pynats {__version__}"]


def test_output_to_a_reader_that_went_away_is_no_traceback(pynats: Runner) -> None:
    import os
    import subprocess
    import sys

    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "natscli", "--help"]
    done = subprocess.run(
        command, stdout=write_end, stderr=subprocess.PIPE, env=pynats.environ, timeout=30, check=False
    )
    os.close(write_end)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("server", "--help"), ("context", "--help")]
)
def test_a_command_that_connects_to_nothing_loads_no_network_code(
    pynats: Runner, arguments: tuple[str, ...]
) -> None:
    import subprocess
    import sys

    program = """
import json, sys
from natscli.cli.root import run
from natscli.environment import Environment
run(sys.argv[1:], Environment.current())
heavy = {"asyncio", "nats", "rich", "ssl", "aiohttp", "natscli.connection"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        env=pynats.environ,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_reason_to_fail(nats_server: Server, pynats: Runner, closed: str) -> None:
    command = f'exec "$0" -m natscli request nobody x --server "$1" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, nats_server.url],
        env=pynats.environ,
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr


def test_output_that_is_lost_because_stdout_is_closed_is_a_failure(pynats: Runner) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m natscli --help >&-', sys.executable],
        env=pynats.environ,
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (1, b"pynats: error: the output is closed (stdout)\n")


def test_a_module_that_is_cut_off_is_no_interruption(pynats: Runner, tmp_path: Path) -> None:
    """As a full disk leaves it, when Python keeps what it has compiled."""
    env = {"PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}
    assert pynats("context", "ls", env=env).status == 0
    (module,) = (tmp_path / "cache").rglob("natscli/contexts/store.*.pyc")
    module.write_bytes(module.read_bytes()[:100])
    run = pynats("context", "ls", env=env)
    assert run.status == 1
    assert "a file ends too early: marshal data too short" in run.errors[0]
