"""Shell completion: the protocol between the scripts and pynats, the scripts in real shells, installing them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from natscli.cli.root import ALIASES, COMMANDS
from tests.programs import Runner

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def contexts(config_home: Path) -> None:
    """Two contexts, `local` and `lodge`."""
    folder = config_home / "nats" / "context"
    folder.mkdir(parents=True)
    for name in ("local", "lodge"):
        (folder / f"{name}.json").write_text('{"url": "nats://127.0.0.1"}')


def complete(pynats: Runner, *words: str) -> list[str]:
    """What is offered for the last of the words, as the bash script asks for it."""
    env = {
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_PYNATS_COMPLETE": "bash_complete",
    }
    run = pynats(env=env)
    assert (run.status, run.stderr) == (0, "")
    return [line.partition(",")[2] for line in run.lines if line]


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


def test_descriptions_go_to_shells_that_show_them(pynats: Runner) -> None:
    env = {"COMP_WORDS": "pynats repl", "COMP_CWORD": "1", "_PYNATS_COMPLETE": "zsh_complete"}
    assert pynats(env=env).lines == ["plain", "reply", COMMANDS["reply"][1]]
    env = {"COMP_WORDS": "pynats repl", "COMP_CWORD": "repl", "_PYNATS_COMPLETE": "fish_complete"}
    assert pynats(env=env).lines == [f"plain,reply\t{COMMANDS['reply'][1]}"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_all_there_is_on_stdout(pynats: Runner, shell: str) -> None:
    run = pynats("completion", shell)
    assert (run.status, run.stderr) == (0, "")
    assert f"_PYNATS_COMPLETE={shell}_complete" in run.text


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
def test_a_real_bash_completes(pynats: Runner) -> None:
    script = """
        source <(pynats completion bash) || exit 1
        ask() {
            COMP_WORDS=(pynats "$@"); COMP_CWORD=$#; COMPREPLY=()
            _pynats_completion pynats; echo "${COMPREPLY[@]}"
        }
        ask repl; ask ctx sele; ask request --context lo
    """
    expected = ["reply", "select", "local", "lodge"]
    assert shell_output(pynats, "bash", "--norc", "-c", script) == expected


@pytest.mark.usefixtures("contexts")
def test_a_real_bash_loads_the_installed_script(pynats: Runner) -> None:
    package = Path("/usr/share/bash-completion/bash_completion")
    if not package.exists():
        pytest.skip("bash-completion is not installed")
    assert pynats("completion", "bash", "--install").status == 0
    loader = "_comp_load pynats || _completion_loader pynats || __load_completion pynats"
    script = f"source {package}; {{ {loader}; }} 2>/dev/null; complete -p pynats"
    assert "_pynats_completion" in shell_output(pynats, "bash", "--norc", "-c", script)


@pytest.mark.usefixtures("contexts")
def test_a_real_fish_completes(pynats: Runner) -> None:
    assert pynats("completion", "fish", "--install").status == 0
    script = "complete -C 'pynats ctx sele' | string split -f1 \\t; complete -C 'pynats request --context lo'"
    assert shell_output(pynats, "fish", "-c", script) == ["select", "local", "lodge"]


def test_a_real_zsh_loads_the_installed_script(pynats: Runner, tmp_path: Path) -> None:
    run = pynats("completion", "zsh", "--install")
    line = run.errors[1].partition(": ")[2]  # the line to put into ~/.zshrc
    script = f"{line.replace('compinit; compinit', 'compinit; compinit -u -D')}; echo $_comps[pynats]"
    assert shell_output(pynats, "zsh", "-f", "-c", script) == ["_pynats"]
