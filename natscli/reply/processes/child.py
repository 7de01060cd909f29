"""One of the processes of `--processes`: what it gets from its parent, and how it runs.

It is a fresh interpreter. Standard input brings an `Assignment`, then commands of one byte; its end is that of the
parent. Standard output and standard error are those of the parent.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from natscli.environment import Environment
from natscli.reply.options import ReplyOptions
from natscli.reply.reporter import Reporter
from natscli.system.signals import run_exit_functions, when_done

if TYPE_CHECKING:
    from natscli.output.pump import Pump
    from natscli.reply.processes.board import Board, SharedCounts
    from natscli.settings import Settings
    from natscli.system.signals import Receive

DRAIN, STOP = b"d", b"s"

#: What the new interpreter runs. The folder it is started in is not where Python's own modules are looked for.
PROGRAM = (
    "import sys; del sys.path[0]; import json; sys.path[:] = json.loads(sys.argv.pop()); "
    "from natscli.reply.processes.child import main; main()"
)


@dataclass(frozen=True)
class Assignment:
    """All that a process has to know. `settings` hold the secrets themselves, so it is never shown or stored.

    `index` is its place on the board, `first` whether it logs how it begins: one does, the others would log the same.
    """

    options: ReplyOptions
    settings: Settings
    board: int | str
    index: int
    first: bool
    color: str
    trace: bool
    log_json: bool


class Orders:
    """What the parent asks for, in the place of signals; SIGTERM asks to drain, once."""

    def __init__(self, commands: BinaryIO) -> None:
        self._commands = commands
        self._receive: Receive = lambda number, frame: None
        self._draining = False
        self._lock = threading.Lock()

    def install(self, receive: Receive) -> None:
        """See `signals.Stop`. A Ctrl-C at the terminal goes to the whole group; the parent says what it means."""
        self._receive = receive
        for name in ("SIGINT", "SIGHUP", "SIGBREAK", "SIGUSR1"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: None)  # not SIG_IGN, which programs inherit
        signal.signal(signal.SIGTERM, lambda *_: self._drain())

    def follow(self) -> None:
        """Read commands, in a thread, to the end of the parent."""
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        while command := self._commands.read(1):
            self._obey(command)
        self._obey(DRAIN)

    def _obey(self, command: bytes) -> None:
        """Pass a command on, from the thread; what it may raise is for the main thread."""
        # The event loop has ended already, or it is blocked, and the parent will kill this process.
        with suppress(KeyboardInterrupt):
            self._drain()
            if command == STOP:
                self._receive(signal.SIGTERM, None)

    def _drain(self) -> None:
        with self._lock:
            if self._draining:
                return
            self._draining = True
        self._receive(signal.SIGTERM, None)


class _Reporter(Reporter):
    """Says that all is subscribed to; the parent shows the statistics of all."""

    def __init__(self, place: SharedCounts, board: Board, environment: Environment, job: Assignment) -> None:
        self._place, self._environment, self._job = place, environment, job
        self.turn = board.output

    def begin(self, pump: Pump) -> None:  # noqa: ARG002
        self._environment.repeats = False
        self._environment.label = f"process {self._job.index + 1}: "
        self._place.listening = 1


def main() -> None:
    """Run what the parent asks for, and exit with its status."""
    import gc

    gc.set_threshold(20_000, 20, 50)
    commands = os.fdopen(os.dup(0), "rb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    job: Assignment = pickle.loads(_exactly(commands, int.from_bytes(_exactly(commands, 8), "big")))
    orders = Orders(commands)
    orders.install(lambda *_: os._exit(0))
    orders.follow()
    status = _run(job, orders)
    when_done(lambda: os._exit(status))
    run_exit_functions()
    sys.stdout.flush()
    os._exit(status)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = stream.read(size - len(data))
        if not chunk:
            os._exit(0)  # the parent is gone already
        data += chunk
    return data


def _run(job: Assignment, orders: Orders) -> int:
    """The exit status; a failure is written on the board."""
    from natscli.errors import PynatsError, explain
    from natscli.reply.processes.board import open_board

    board = open_board(job.board, job.index + 1)
    place = board.place(job.index)
    environment = Environment.current()
    environment.color, environment.trace = job.color, job.trace
    environment.write_log_as("json" if job.log_json else "text")
    environment.quiet, environment.repeats = job.options.quiet, not job.first
    environment.redactor.add(*job.settings.secrets)
    try:
        _serve(job, orders, board, environment)
    except BaseException as error:
        if not isinstance(error, (PynatsError, KeyboardInterrupt)):
            environment.log_traceback(error)
        report = explain(error)
        message = environment.redactor.redact(report.message)
        place.failure.set(json.dumps({"message": message, "hint": report.hint, "status": int(report.status)}))
        return int(report.status)
    return 0


def _serve(job: Assignment, orders: Orders, board: Board, environment: Environment) -> None:
    from natscli.connection.options import prepare
    from natscli.reply.processes.board import SharedNumbers, SharedStatistics
    from natscli.reply.responders.build import build
    from natscli.reply.run import Shared, run, without_exit
    from natscli.system import signals

    place = board.place(job.index)
    responder = build(job.options, environment)
    new_stop: Callable[[Callable[[], object]], signals.Stop] = partial(signals.Stop, install=orders.install)
    shared = Shared(
        SharedNumbers(board, job.options.count),
        partial(SharedStatistics, place, sizes=job.options.stats),
        _Reporter(place, board, environment, job),
        new_stop,
    )
    work = run(job.options, responder, prepare(job.settings, environment), environment, shared)
    with without_exit(job.options):
        signals.run(work, install=orders.install)
