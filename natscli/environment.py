"""The surroundings of a run as one object: streams, their terminals, variables, colours, secrets to hide.

Made once, in `cli/root.py`; nothing else of a run touches `sys.stdout`, `sys.stderr`, `sys.stdin` or `os.environ`, so a
test can swap the whole of it. What has no run, the Python API, makes its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from errno import EBADF
from functools import cached_property
from typing import Any, BinaryIO, TextIO, cast

from natscli.errors import Report
from natscli.log_format import ERROR, INFO, WARNING, NeverDrawn, clock, json_line, never_drawn
from natscli.secrets.redaction import Redactor, redact_shapes
from natscli.system.terminal import is_drawn_on, is_file
from natscli.text import bytes_for_people, exact_bytes, visible_line

#: The styles of the log, as terminals know them (SGR codes).
BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
RED, GREEN, YELLOW, MAGENTA, CYAN = "\x1b[1;31m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[36m"


def home_folder(environ: Mapping[str, str]) -> str:
    """The user's folder, `~` if nothing says which; on Windows that of the account, as in the Go CLI."""
    if sys.platform == "win32":
        return os.path.expanduser("~")
    if home := environ.get("HOME"):
        return home
    import pwd

    try:  # an empty HOME would be the root folder
        return pwd.getpwuid(os.getuid()).pw_dir or "~"
    except KeyError:
        return "~"


def _stream(stream: TextIO | None, mode: str) -> BinaryIO:
    """The bytes below a standard stream; `/dev/null` for one that was closed (`<&-`) or has none (a notebook's)."""
    return getattr(stream, "buffer", None) or cast(BinaryIO, open(os.devnull, mode))


def _stdout() -> BinaryIO:
    """The bytes below stdout. Writing to one that was closed (`>&-`) fails: nothing is lost without a word."""
    if sys.stdout is not None or sys.platform == "win32":  # a window of Windows has none
        return _stream(sys.stdout, "wb")
    return cast(BinaryIO, open(os.open(os.devnull, os.O_RDONLY), "wb"))


def from_stdout(error: OSError) -> OSError:
    """`error`, which says that it is stdout that cannot be written."""
    if error.errno == EBADF:
        error.strerror = "the output is closed"
    error.filename = error.filename or "stdout"
    return error


class Environment:
    """Where a run reads from and writes to, and what it must not show."""

    #: Whether --trace is given.
    trace = False
    #: Whether the log is lines of JSON, see `write_log_as`.
    log_json = False
    #: The command line, without the name of the program.
    arguments: Sequence[str] = ()
    #: What lines of the log and warnings begin with: which of several processes writes them.
    label = ""
    #: The option that reads standard input, if one does: nothing else can.
    stdin_is_for = ""
    #: Whether another process logs the same, and warns of the same.
    repeats = False
    #: Whether a Ctrl-C ended the run.
    interrupted = False

    def __init__(
        self,
        stdin: BinaryIO,
        stdout: BinaryIO,
        stderr: BinaryIO,
        environ: Mapping[str, str],
        redactor: Redactor | None = None,
        color: str = "auto",
        quiet: bool = False,
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.environ = environ
        self.redactor = redactor or Redactor()
        #: The values of --color and --quiet.
        self.color = color
        self.quiet = quiet
        #: Where the log goes; a responder puts its own here, so that a slow terminal cannot hold it up.
        self.sink: Callable[[bytes], None] = self._write_log

    @classmethod
    def current(cls) -> Environment:
        """The environment of this process."""
        return cls(_stream(sys.stdin, "rb"), _stdout(), _stream(sys.stderr, "wb"), os.environ)

    @property
    def config_dir(self) -> str:
        """The folder shared with the Go CLI: `$XDG_CONFIG_HOME/nats` or `~/.config/nats` (ADR-21)."""
        base = self.environ.get("XDG_CONFIG_HOME") or os.path.join(home_folder(self.environ), ".config")
        return os.path.join(base, "nats")

    def write_log_as(self, form: str) -> None:
        """From now on the log is lines of `json`, or `text`."""
        self.log_json = form == "json"
        if isinstance(self.stderr, NeverDrawn):
            self.stderr = self.stderr.stream
        if self.log_json:
            self.stderr = never_drawn(self.stderr)

    @cached_property
    def clock(self) -> Callable[[float], str]:
        """Gives what a line of the log begins with, see `log_format.clock`."""
        return clock(is_file(self.stderr))

    def interactive(self) -> bool:
        """Whether a person can be asked: stdin and stderr are both terminals."""
        return self.stdin.isatty() and self.stderr.isatty()

    def colored(self, stream: BinaryIO) -> bool:
        """Whether to colour `stream`: --color, NO_COLOR, CLICOLOR_FORCE, then is it a terminal. No log of JSON."""
        if self.log_json and stream is self.stderr:
            return False
        if self.color != "auto":
            return self.color == "always"
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
            return True
        return self.draws_on(stream)

    def draws_on(self, stream: BinaryIO) -> bool:
        """Whether something can be drawn on `stream` again and again: a terminal that is not `dumb`."""
        return is_drawn_on(stream, self.environ)

    def out(self, text: str) -> None:
        """Write text that was asked for to stdout, at once."""
        self.write(exact_bytes(text))

    def write(self, data: bytes) -> None:
        """Write bytes that were asked for to stdout, at once."""
        try:
            self.stdout.write(data)
            self.stdout.flush()
        except OSError as error:
            raise from_stdout(error) from None

    def log(self, line: str, **fields: Any) -> None:
        """One line of the log on stderr, with the time, unless it is empty, or with --quiet.

        `fields` are what it says, for a log of JSON: so for the others.
        """
        if line and not self.quiet and not self.repeats:
            # Made of subjects and numbers, so a password that is an ordinary word is none here.
            label = self.clock(time.time())
            self._write_line(INFO, label, f"{self.label}{line}", DIM, fields, redact=redact_shapes)

    def notice(self, line: str, **fields: Any) -> None:
        """One plain line on stderr, unless --quiet."""
        if not self.quiet:
            self._write_line(INFO, "", line, "", fields)

    def warn(self, line: str, **fields: Any) -> None:
        """One line on stderr that --quiet does not silence."""
        if not self.repeats:
            self._write_line(WARNING, "pynats: ", f"{self.label}{line}", CYAN, fields)

    def warning(self, line: str) -> bytes:
        """What `warn` writes, without colours: for a log that waits to be written."""
        return json_line(WARNING, line, time.time()) if self.log_json else f"pynats: {line}\n".encode()

    def log_traceback(self, error: BaseException) -> None:
        """With --trace, the traceback of an error."""
        if self.trace:
            import traceback

            for line in "".join(traceback.format_exception(error)).splitlines():
                self.warn(f"trace: {line}")

    def error(self, report: Report) -> None:
        """`pynats: error: ...` and, where there is one, the hint."""
        hint = self.redactor.redact(report.hint) if report.hint else None
        fields = {"status": int(report.status), "hint": hint}
        self._write_line(ERROR, "pynats: error: ", report.message, RED, fields)
        if report.hint and not self.log_json:
            self.hint(report.hint)

    def hint(self, text: str) -> None:
        """The line after an error that may help."""
        self._write_line(INFO, "  hint: ", text, DIM, {})

    def _write_line(
        self, level: str, label: str, line: str, style: str, fields: dict[str, Any],
        redact: Callable[[str], str] | None = None,
    ) -> None:  # fmt: skip
        line = visible_line((redact or self.redactor.redact)(line))
        if self.log_json:
            self.sink(json_line(level, line, time.time(), **fields))
            return
        if style and self.colored(self.stderr):
            label = f"{style}{label}{RESET}"
        self.sink(bytes_for_people(f"{label}{line}\n"))

    def _write_log(self, data: bytes) -> None:
        try:
            self.stderr.write(data)
            self.stderr.flush()
        except OSError:
            pass  # stderr is closed; the exit status still shows how it ended
