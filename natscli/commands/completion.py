"""`pynats completion`: the script that makes a shell complete pynats command lines."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from natscli.cli.completion import SCRIPTS
from natscli.cli.groups import Command
from natscli.cli.options import App, option, output_options, pass_app
from natscli.environment import home_folder
from natscli.errors import InputError

#: What loads completion in PowerShell.
_PROFILE = "pynats completion powershell | Out-String | Invoke-Expression"


def script_path(shell: str, environ: Mapping[str, str]) -> str:
    """Where the shell, or the completion package it uses, looks for a user's own completions."""
    home = home_folder(environ)
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    if shell == "fish":
        return os.path.join(config, "fish", "completions", "pynats.fish")
    if shell == "zsh":
        return os.path.join(data, "zsh", "site-functions", "_pynats")
    folder = environ.get("BASH_COMPLETION_USER_DIR") or os.path.join(data, "bash-completion")
    return os.path.join(folder, "completions", "pynats")


def how_to_load(shell: str, path: str) -> str:
    """What a user may have to do for the script at `path` to be loaded."""
    if shell == "fish":
        return "New fish shells load it automatically."
    if shell == "zsh":
        folder = os.path.dirname(path)
        return f"Add to ~/.zshrc: fpath=({folder} $fpath); autoload -Uz compinit; compinit"
    return (
        f"New shells with bash-completion load it automatically; without it, add to ~/.bashrc: source {path}"
    )


def write_if_changed(path: str, text: str) -> bool:
    """Make the file hold `text`, with its folders; whether it did not before.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return False
    except (FileNotFoundError, UnicodeDecodeError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return True


@click.command(
    cls=Command,
    examples={
        "pynats completion bash --install": "for all new shells",
        'eval "$(pynats completion zsh)"': "for this zsh, or bash",
        "pynats completion fish | source": "for this fish",
        _PROFILE: "for this PowerShell",
    },
)
@click.argument("shell", type=click.Choice([*SCRIPTS]), metavar="|".join(SCRIPTS))
@option("--install", is_flag=True, common=True, help="Write the script to where the shell looks for it.")
@pass_app
@output_options
def completion(app: App, shell: str, install: bool) -> None:
    """Print or install shell completion.

    Completes commands, options, their values and names of contexts; and if the server answers at once, names of
    services and subjects of their endpoints.
    """
    environment = app.environment
    script = SCRIPTS[shell]
    if not install:
        environment.out(script)
        return
    if shell == "powershell":
        raise InputError("--install cannot find PowerShell's profile", hint=f"add to $PROFILE: {_PROFILE}")
    path = script_path(shell, environment.environ)
    changed = write_if_changed(path, script)
    environment.notice(f"Wrote {path}" if changed else f"{path} is up to date")
    environment.notice(how_to_load(shell, path))
