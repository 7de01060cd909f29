"""The walkthrough for real: a server, `pynats reply`, `pynats request`, and what both sides show.

Exits with 1 when the reply does not come.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SUBJECT = "help.please"
REPLY = "OK, I CAN HELP!!!"
TIMEOUT = 30.0


class DemoFailedError(Exception):
    """Something did not happen as in the walkthrough."""


class Side:
    """One terminal of the walkthrough: a pynats process whose lines are shown with a label."""

    def __init__(
        self, label: str, arguments: Sequence[str], environ: Mapping[str, str], show: bool = True
    ) -> None:
        self.label = label
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._over = False
        if show:
            shown = [f'"{word}"' if set(word) & set(" !") else word for word in arguments]
            print(f"{label} | $ pynats {' '.join(shown)}", flush=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "natscli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout, show), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[bytes], show: bool) -> None:
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if show:
                print(f"{self.label} | {line}".rstrip(), flush=True)
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def wait_for(self, pattern: str) -> str:
        """The first line where the regular expression `pattern` is found, when it comes.

        Raises:
            DemoFailedError: it does not come.
        """

        def found() -> str | None:
            return next((line for line in self.lines if re.search(pattern, line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._over, TIMEOUT)
            line = found()
        if line is None:
            raise DemoFailedError(
                f"{self.label.strip()} never printed {pattern!r}, but: " + "\n".join(self.lines)
            )
        return line

    def end(self, *, with_signal: bool) -> None:
        """Wait for its end, after a signal if it would not end by itself.

        Raises:
            DemoFailedError: it does not end, or with another status than 0.
        """
        if with_signal:
            # Windows can only send a Ctrl-Break to another program.
            self.process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
        try:
            status = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise DemoFailedError(f"{self.label.strip()} does not end") from None
        self._reader.join(TIMEOUT)
        if status != 0:
            raise DemoFailedError(
                f"{self.label.strip()} ended with status {status}: " + "\n".join(self.lines[-3:])
            )

    def kill(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextmanager
def side(
    label: str, arguments: Sequence[str], environ: Mapping[str, str], show: bool = True
) -> Iterator[Side]:
    """A `Side` that is ended at the end."""
    process = Side(label, arguments, environ, show)
    try:
        yield process
    finally:
        process.kill()


def own_environment(folder: str) -> dict[str, str]:
    """This environment without the user's NATS settings and contexts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NATS_")}
    return kept | {"XDG_CONFIG_HOME": folder, "PYTHONUNBUFFERED": "1"}


def demonstrate(environ: dict[str, str]) -> None:
    """Run the walkthrough; raises DemoFailedError when it is not as it should be."""
    with side("server", ["server", "run", "--port", "-1"], environ, show=False) as server:
        url = server.wait_for("^nats://")
        print(f"server  | {url}, from: pynats server run --port -1\n", flush=True)
        environ["NATS_URL"] = url
        with side("reply  ", ["reply", SUBJECT, REPLY], environ) as replier:
            replier.wait_for(re.escape(f"Listening on [{SUBJECT}]"))
            with side("watch  ", ["watch", SUBJECT], environ) as watcher:
                watcher.wait_for(re.escape(f"Watching [{SUBJECT}]"))
                print()
                with side("request", ["request", SUBJECT, "I need help!"], environ) as requester:
                    requester.end(with_signal=False)
                    requester.wait_for(re.escape(REPLY))
                replier.wait_for("I need help!")
                watcher.wait_for(re.escape(f"I need help! -> {REPLY}"))
                print()
                watcher.end(with_signal=True)
            replier.end(with_signal=True)
        server.end(with_signal=True)


def main() -> int:
    """Run the demo; the exit status."""
    with tempfile.TemporaryDirectory(prefix="pynats-demo-") as folder:
        (Path(folder) / "nats").mkdir()
        try:
            demonstrate(own_environment(folder))
        except DemoFailedError as error:
            print(f"demo: failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print("demo: the reply came, and both sides and the server stopped as they should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
