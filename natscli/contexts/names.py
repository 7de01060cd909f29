"""Names of contexts: what may be one, what may be selected, and commands about one."""

from __future__ import annotations

import os
import re
import sys

from natscli.errors import InputError

#: The control characters; the last ones are bytes that could not be decoded.
_CONTROL = r"[\x00-\x1f\x7f-\x9f\udc80-\udc9f]"


def validate_name(name: str) -> None:
    """Raises InputError unless `name` can name a context: not empty, no `/`, `\\`, `..` (as in the Go CLI).

    Nor control characters: such a name cannot be typed, would break lines of lists, and drive terminals; a byte that
    is no UTF-8 can be one of them too.
    """
    if not name:
        raise InputError("a context needs a name")
    if not (name.isascii() and name.isprintable()) and re.search(_CONTROL, name):
        raise InputError(f"invalid context name {name!r}: it contains a control character")
    for part in ("/", "\\", ".."):
        if part in name:
            raise InputError(f"invalid context name {name!r}: it contains {part!r}")
    if sys.platform == "win32":
        for part in ':*?"<>|':
            if part in name:
                raise InputError(f"invalid context name {name!r}: Windows allows no {part!r} in a file name")


def file_named(name: str) -> str:
    """The path of the context file that `name` is, as in the Go CLI; empty if it is the name of a context."""
    is_file = "\0" not in name and (
        "/" in name or os.sep in name or (name.endswith(".json") and os.path.isfile(name))
    )
    return os.path.abspath(os.path.expanduser(name)) if is_file else ""


def command(verb: str, name: str) -> str:
    """A command about the context `name`, as it can be pasted into a shell."""
    from shlex import quote

    return f"pynats context {verb} {'-- ' if name.startswith('-') else ''}{quote(name)}"


def check_selectable(name: str) -> None:
    """Raises InputError for a name that the selection file, which is stripped when read, cannot hold."""
    if name != name.strip():
        raise InputError(f"context {name!r} cannot be selected: its name starts or ends with white space")
