"""Shell completion: the protocol between the scripts and pynats, the scripts in real shells, installing them."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from natscli.cli.root import ALIASES, COMMANDS
from tests.program import Runner

ON_ITS_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

SHELLS = ["bash", "zsh", "fish", "powershell"]


@pytest.fixture
def contexts(config_home: Path) -> None:
    """Two contexts, `local` and `lodge`."""
    folder = config_home / "nats" / "context"
    folder.mkdir(parents=True)
    for name in ("local", "lodge"):
        (folder / f"{name}.json").write_text('{"url": "nats://127.0.0.1"}')


def complete(pynats: Runner, *words: str) -> list[str]:
    """What is offered for the last of the words, as the bash script asks for it."""
    return [line.partition(",")[2] for line in ask(pynats, "bash", " ".join(words))]


def ask(pynats: Runner, shell: str, line: str, breaks: str = "=:") -> list[str]:
    """What pynats answers to the script of a shell for that command line up to the cursor."""
    run = pynats(env={"_PYNATS_COMPLETE": shell, "COMP_LINE": line, "COMP_WORDBREAKS": breaks})
    assert (run.status, run.stderr) == (0, "")
    return run.lines


def test_commands_are_offered(pynats: Runner) -> None:
    assert complete(pynats, "pynats", "") == list(COMMANDS)
    assert complete(pynats, "pynats", "rep") == ["reply"]


@pytest.mark.parametrize(("typed", "alias"), [("ct", "ctx")])
def test_aliases_are_offered_when_no_command_fits(pynats: Runner, typed: str, alias: str) -> None:
    assert alias in ALIASES
    assert complete(pynats, "pynats", typed) == [alias]
    assert complete(pynats, "pynats", "req") == ["request"]


def test_subcommands_are_offered_below_an_alias(pynats: Runner) -> None:
    assert complete(pynats, "pynats", "ctx", "sel") == ["select"]
    assert "rm" in complete(pynats, "pynats", "ctx", "")


def test_options_are_offered_before_and_after_the_command(pynats: Runner) -> None:
    assert complete(pynats, "pynats", "--tlsc") == ["--tlscert", "--tlsca"]
    assert complete(pynats, "pynats", "request", "--tlsc") == ["--tlscert", "--tlsca"]
    assert complete(pynats, "pynats", "server", "run", "--jet") == ["--jetstream"]


def test_choices_are_offered(pynats: Runner) -> None:
    assert complete(pynats, "pynats", "--color", "a") == ["auto", "always"]
    assert complete(pynats, "pynats", "completion", "") == SHELLS


@pytest.mark.usefixtures("contexts")
@pytest.mark.parametrize(
    "words",
    [
        ("--context",),
        ("request", "--context"),
        ("-s", "127.0.0.1", "req", "--context"),
        ("context", "select"),
        ("ctx", "rm"),
        ("ctx", "info"),
    ],
)
def test_the_names_of_contexts_are_offered(pynats: Runner, words: tuple[str, ...]) -> None:
    assert complete(pynats, "pynats", *words, "lo") == ["local", "lodge"]
    assert complete(pynats, "pynats", *words, "loc") == ["local"]


def test_nothing_is_offered_for_what_is_not_known(pynats: Runner) -> None:
    assert complete(pynats, "pynats", "--context", "x") == []


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_descriptions_go_to_shells_that_show_them(pynats: Runner, shell: str) -> None:
    assert ask(pynats, shell, "pynats repl") == [f"plain,reply\t{COMMANDS['reply'][1]}"]
    assert ask(pynats, "bash", "pynats repl") == ["plain,reply"]


@pytest.mark.usefixtures("contexts")
@pytest.mark.parametrize(
    ("shell", "breaks", "answer"),
    [
        ("bash", "=:", ["plain,local"]),  # bash replaces what is after the =
        ("bash", "", ["plain,--context=local"]),
        ("zsh", "", ["plain,local\t"]),  # the script takes the option away
        ("fish", "", ["plain,local\t"]),  # the script puts the option before it
        ("powershell", "", ["plain,--context=local\tlocal"]),
    ],
)
def test_a_value_after_an_equals_sign_is_what_the_shell_replaces(
    pynats: Runner, shell: str, breaks: str, answer: list[str]
) -> None:
    assert ask(pynats, shell, "pynats request --context=loc", breaks) == answer


@pytest.mark.parametrize(
    ("shell", "line", "answer"),
    [
        ("bash", "pynats --context=", r"plain,it\'s\ a:b"),
        ("bash", "pynats --context it", r"plain,it\'s\ a:b"),
        ("bash", "pynats --context \"it's a:", "plain,b"),
        ("bash", 'pynats --context "it', "plain,it's a:b"),
        ("bash", "pynats --context 'it", r"plain,it'\''s a:b"),
        ("zsh", "pynats --context it", "plain,it's a:b\t"),
        ("fish", "pynats --context it", "plain,it's a:b\t"),
        ("powershell", "pynats --context it", "plain,'it''s a:b'\tit's a:b"),
        ("powershell", "pynats --context=it", "plain,'--context=it''s a:b'\tit's a:b"),
    ],
)
def test_names_are_quoted_as_the_shell_needs_them(
    pynats: Runner, config_home: Path, shell: str, line: str, answer: str
) -> None:
    folder = config_home / "nats" / "context"
    folder.mkdir(parents=True)
    (folder / "it's a:b.json").write_text("{}")
    assert ask(pynats, shell, line) == [answer]


@pytest.mark.parametrize("shell", [*SHELLS])
def test_files_are_left_to_the_shell(pynats: Runner, shell: str) -> None:
    for line in ("pynats --creds ", "pynats --creds=", "pynats request x --body-file /t"):
        assert ask(pynats, shell, line) == ["file,"]
    assert ask(pynats, shell, "pynats server run --store-dir ") == ["dir,"]


@pytest.mark.parametrize("shell", ["csh", "", "bash_source"])
def test_a_shell_that_is_not_known_gets_nothing(pynats: Runner, shell: str) -> None:
    assert ask(pynats, shell, "pynats ") == []


@pytest.mark.parametrize(
    "line", ["", "pynats", "pynats 'rep", "pynats nope ", "pynats request -- ", "pynats \\"]
)
def test_no_command_line_is_an_error(pynats: Runner, line: str) -> None:
    for shell in SHELLS:
        assert isinstance(ask(pynats, shell, line), list)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_all_there_is_on_stdout(pynats: Runner, shell: str) -> None:
    run = pynats("completion", shell)
    assert (run.status, run.stderr) == (0, "")
    assert "_PYNATS_COMPLETE" in run.text


def test_powershell_has_no_place_to_install_to_and_says_what_to_do(pynats: Runner) -> None:
    run = pynats("completion", "powershell", "--install")
    assert (run.status, run.stdout) == (2, b"")
    assert run.errors[1].endswith(
        "add to $PROFILE: pynats completion powershell | Out-String | Invoke-Expression"
    )


def test_another_shell_is_bad_usage(pynats: Runner) -> None:
    assert pynats("completion", "csh").status == 2


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", "home/.local/share/bash-completion/completions/pynats"),
        ("zsh", "home/.local/share/zsh/site-functions/_pynats"),
        ("fish", "config/fish/completions/pynats.fish"),
    ],
)
def test_installing_writes_the_script_once_and_says_where(
    pynats: Runner, tmp_path: Path, shell: str, path: str
) -> None:
    first = pynats("completion", shell, "--install")
    assert (first.status, first.stdout) == (0, b"")
    assert first.errors[0] == f"Wrote {tmp_path / path}"
    assert (tmp_path / path).read_bytes() == pynats("completion", shell).stdout
    modified = (tmp_path / path).stat().st_mtime_ns
    second = pynats("completion", shell, "--install")
    assert second.errors[0] == f"{tmp_path / path} is up to date"
    assert (tmp_path / path).stat().st_mtime_ns == modified


def test_installing_replaces_an_older_script(pynats: Runner, tmp_path: Path) -> None:
    path = tmp_path / "home/.local/share/bash-completion/completions/pynats"
    path.parent.mkdir(parents=True)
    path.write_text("old")
    assert pynats("completion", "bash", "--install").status == 0
    assert "COMPREPLY" in path.read_text()


def test_a_place_that_cannot_be_written_is_said_in_one_line(pynats: Runner, tmp_path: Path) -> None:
    (tmp_path / "home/.local").write_text("a file")
    run = pynats("completion", "bash", "--install")
    assert (run.status, len(run.errors)) == (1, 1)


def shell_output(pynats: Runner, *command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command,
        env=pynats.environ,
        cwd=pynats.directory,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.usefixtures("contexts")
def test_a_real_bash_loads_the_installed_script(pynats: Runner) -> None:
    package = Path("/usr/share/bash-completion/bash_completion")
    if not package.exists():
        pytest.skip("bash-completion is not installed")
    assert pynats("completion", "bash", "--install").status == 0
    loader = "_comp_load pynats || _completion_loader pynats || __load_completion pynats"
    script = f"source {package}; {{ {loader}; }} 2>/dev/null; complete -p pynats"
    assert "_pynats_completion" in shell_output(pynats, "bash", "--norc", "-c", script)


def test_a_real_zsh_loads_the_installed_script(pynats: Runner, tmp_path: Path) -> None:
    run = pynats("completion", "zsh", "--install")
    line = run.errors[1].partition(": ")[2]  # the line to put into ~/.zshrc
    script = f"{line.replace('compinit; compinit', 'compinit; compinit -u -D')}; echo $_comps[pynats]"
    assert shell_output(pynats, "zsh", "-f", "-c", script) == ["_pynats"]


class Shell:
    """A shell on a terminal, with completion loaded."""

    STARTS: ClassVar[dict[str, tuple[list[str], str]]] = {
        "bash": (["bash", "--norc", "--noprofile", "-i"], 'set -o emacs; eval "$(pynats completion bash)"'),
        "zsh": (
            ["zsh", "-f", "-i"],
            'bindkey -e; autoload -Uz compinit; compinit -u -D; eval "$(pynats completion zsh)"',
        ),
        "fish": (["fish", "--no-config", "-i"], "pynats completion fish | source"),
    }

    def __init__(self, runner: Runner, shell: str) -> None:
        command, setup = self.STARTS[shell]
        if shutil.which(command[0]) is None:
            pytest.skip(f"{shell} is not installed")
        self.directory = runner.directory
        self._words = runner.directory / "words"
        self._show = runner.directory / "show"
        self._show.write_text(
            f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {self._words}.new\nmv {self._words}.new {self._words}\n"
        )
        self._show.chmod(0o700)
        self._terminal, inner = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_ITS_TERMINAL, *command],
            stdin=inner, stdout=inner, stderr=inner, env=runner.environ | {"TERM": "xterm"}, cwd=runner.directory,
        )  # fmt: skip
        os.close(inner)
        self._shown = b""
        self._type(f"{setup}; {self._show} ready\r")
        assert self._said() == ["ready"]

    def words(self, line: str) -> list[str]:
        """The words of the command line after a press of the Tab key."""
        # To the start of the line, to have the words shown instead of taken for a command line.
        self._type(f"{line}\t\x01{self._show} \x05\r")
        return self._said()

    def _type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _said(self) -> list[str]:
        deadline = time.monotonic() + 30
        while not self._words.exists():
            if select.select([self._terminal], [], [], 0.01)[0]:
                self._shown += os.read(self._terminal, 65536)
            assert time.monotonic() < deadline, self._shown
        words = self._words.read_text().splitlines()
        self._words.unlink()
        return words

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, runner: Runner) -> Iterator[Shell]:
    shell = Shell(runner, request.param)
    yield shell
    shell.close()


@pytest.mark.usefixtures("contexts")
def test_a_real_shell_completes(shell: Shell) -> None:
    (shell.directory / "photo file.jpg").write_text("")
    for line, words in {
        "pynats repl": ["pynats", "reply"],
        "FOO=1 pynats repl": ["FOO=1", "pynats", "reply"],
        "pynats ctx sele": ["pynats", "ctx", "select"],
        "pynats request --context loc": ["pynats", "request", "--context", "local"],
        "pynats request --context=loc": ["pynats", "request", "--context=local"],
        "pynats --context=loc": ["pynats", "--context=local"],
        "pynats context info lod": ["pynats", "context", "info", "lodge"],
        "pynats request --concur": ["pynats", "request", "--concurrency"],
        "pynats request --send-on=n": ["pynats", "request", "--send-on=newline"],
        "pynats request x --body-file pho": ["pynats", "request", "x", "--body-file", "photo file.jpg"],
        "pynats request x --body-file=pho": ["pynats", "request", "x", "--body-file=photo file.jpg"],
    }.items():
        assert shell.words(line) == words, line


@pytest.mark.usefixtures("contexts")
def test_a_real_bash_shows_all_candidates(pynats: Runner) -> None:
    script = """
        eval "$(pynats completion bash)" || exit 1
        ask() {
            COMP_LINE=$1; COMP_POINT=${#1}; COMPREPLY=()
            _pynats_completion pynats; echo "${COMPREPLY[@]}"
        }
        ask "pynats repl"; ask "pynats ctx sele"; ask "pynats request --context lo"; ask "pynats request --context=lo"
    """
    expected = ["reply", "select", "local", "lodge", "local", "lodge"]
    assert shell_output(pynats, "bash", "--norc", "-c", script) == expected


@pytest.mark.usefixtures("contexts")
def test_a_real_fish_shows_all_candidates_with_whole_descriptions(pynats: Runner) -> None:
    assert pynats("completion", "fish", "--install").status == 0
    script = "complete -C 'pynats ctx sele' | string split -f1 \\t; complete -C 'pynats request --context lo'"
    assert shell_output(pynats, "fish", "-c", script) == ["select", "local", "lodge"]
    script = "complete -C 'pynats request --context=lo'; complete -C 'pynats repl'"
    assert shell_output(pynats, "fish", "-c", script) == [
        "--context=local", "--context=lodge", "reply", *COMMANDS["reply"][1].split()
    ]  # fmt: skip
    assert "," in COMMANDS["reply"][1]
