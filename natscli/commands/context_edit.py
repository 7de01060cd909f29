"""`pynats context edit`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, complete_contexts, connection_options, pass_app
from natscli.contexts.format import Context, credential_kinds, dump, parse, secrets
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.errors import InputError, PynatsError, explain, reason


@click.command(
    cls=Command,
    examples={
        "pynats context edit local": "open it in $VISUAL or $EDITOR",
        "EDITOR=nano pynats context edit local": "in nano",
    },
)
@click.argument("name", shell_complete=complete_contexts)
@connection_options
@pass_app
def edit(app: App, name: str) -> None:
    """Edit a context in your editor.

    Opens the context NAME as JSON in $VISUAL or $EDITOR, and saves it when it is valid. A file that cannot be parsed is
    opened unchanged, so that it can be repaired.
    """
    environment = app.environment
    store = ContextStore(environment.config_dir, environment.warn)
    before = store.read(name)
    editor = _editor(environment.environ)
    # A folder for the user only, so that the editor's own copies (swap, backup) are private too.
    folder = tempfile.mkdtemp(prefix="pynats-edit-")
    copy = os.path.join(folder, f"{name}.json")
    shown = _as_shown(before, copy)
    keep = False
    try:
        _write_private(copy, shown)
        context = _edited(editor, copy, environment)
        environment.redactor.add(*secrets(context))
        if dump(context) == before:
            environment.notice(f"context {name!r} is unchanged")
        else:
            store.save(name, context, instead_of=before)
            environment.notice(f"saved context {name!r} in {store.path(name)}")
    except BaseException:
        keep = _holds_changes(copy, shown)  # work is not lost, and secrets are not left behind without need
        if keep:
            environment.warn(f"your edited copy is {copy}")
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _holds_changes(copy: str, shown: bytes) -> bool:
    try:
        with open(copy, "rb") as file:
            return file.read() != shown
    except OSError:
        return False


def _as_shown(data: bytes, path: str) -> bytes:
    """What the editor gets: every key of a sound file, a broken file as it is."""
    try:
        return dump(parse(data, path)) + b"\n"
    except InputError:
        return data


def _edited(editor: list[str], copy: str, environment: Environment) -> Context:
    """Run the editor until the copy is a valid context, or the person gives up.

    Raises:
        InputError: it is not valid; the message names line and column.
        PynatsError: the editor failed.
    """
    from natscli.secrets.prompts import confirm

    while True:
        _run(editor, copy)
        try:
            with open(copy, "rb") as file:
                return _checked(file.read(), copy)
        except InputError as error:
            if not environment.interactive():
                raise
            environment.warn(explain(error).message)
            if not confirm(environment, "Edit it again?", default=True):
                raise


def _checked(data: bytes, path: str) -> Context:
    context = parse(data, path)
    kinds = credential_kinds(context)
    if len(kinds) > 1:
        raise InputError(f"credentials of two kinds at once: {' and '.join(kinds)}", where=path)
    return context


def _editor(environ: Mapping[str, str]) -> list[str]:
    """The editor and its arguments.

    Raises:
        InputError: none is set and none of the usual ones is there, or the setting is malformed.
    """
    for variable in ("VISUAL", "EDITOR"):
        if environ.get(variable, "").strip():
            try:
                return _words(environ[variable], environ)
            except ValueError as error:
                raise InputError(f"cannot read the editor's name: {error}", where=f"${variable}") from None
    for name in ("nano", "vi", "notepad"):
        program = shutil.which(name, path=environ.get("PATH"))
        if program:
            return [program]
    raise InputError("no editor found", hint="set EDITOR to the one to use")


def _words(command: str, environ: Mapping[str, str]) -> list[str]:
    """The words of a command line; raises ValueError for a quote that is not closed."""
    words = shlex.split(command, posix=sys.platform != "win32")  # on Windows a backslash is no escape
    if sys.platform == "win32":
        words = [word.strip('"') for word in words]
        words[0] = shutil.which(words[0], path=environ.get("PATH")) or words[0]  # perhaps a .cmd file
    return words


def _run(editor: list[str], path: str) -> None:
    try:
        status = subprocess.call([*editor, path])
    except OSError as error:
        raise InputError(f"cannot run the editor {editor[0]!r}: {reason(error)}") from None
    if status:
        raise PynatsError(f"the editor {editor[0]!r} exited with status {status}: nothing is changed")


def _write_private(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
