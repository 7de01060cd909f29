"""What is seen of the walkthrough: drawn on a terminal, as plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from natscli.environment import Environment
from natscli.learn.step import Attempt, Seen, Step
from natscli.system.terminal import terminal_size
from natscli.text import exact, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

T = TypeVar("T")
#: Lines of a pane, at most.
_LINES = 9
_PROMPT = "$ "


class Show:
    """Writes to stdout. With a terminal, the two sides of an exchange are panes beside each other."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._drawn = environment.stdout.isatty()
        self._columns = terminal_size(environment.stdout).columns

    def step(self, step: Step, number: int, count: int, url: str) -> None:
        """The heading and the explanation."""
        text = step.text.replace("{url}", url)
        if not self._drawn:
            self._write(f"\n{number} of {count}: {step.title}\n\n{text}\n\n")
            return
        from rich.panel import Panel
        from rich.text import Text

        title = Text(f"{number} of {count}: {step.title}", "bold")
        self._draw(Text(), Panel(Text(text), title=title, title_align="left", border_style="cyan"))

    def typed(self, command: str) -> None:
        """A command that the program types."""
        self._write(f"{_PROMPT}{command}\n")

    def ask(self) -> str | None:
        """The line that was typed; None at the end of the input."""
        self._write(_PROMPT)
        if self._drawn and self._environment.stdin.isatty() and sys.stdin is not None:
            from contextlib import suppress

            with suppress(ImportError):
                import readline  # noqa: F401  # arrow keys, and the commands of before
            try:
                # The prompt is given again, so that editing does not remove it.
                self._write("\r")
                return input(_PROMPT).strip()
            except EOFError:
                return None
        line = self._environment.stdin.readline()
        return exact(line).strip() if line else None

    def working(self, work: Callable[[], T]) -> T:
        """What `work` gives; a terminal shows that it takes time."""
        if not self._drawn:
            return work()
        with self._console().status("running ...", spinner="dots"):
            return work()

    def result(self, step: Step, attempt: Attempt) -> None:
        """What both sides have written."""
        sides = [(step.you, attempt.you), (step.other, attempt.other)]
        if not step.then and not step.beside:
            sides = sides[:1]
        if not self._drawn:
            for name, seen in sides:
                lines = "".join(f"  {line}\n" for line in _last(_lines(seen), _LINES))
                self._write(f"{name}:\n{lines}")
            return
        self._draw(_panes(sides, self._console()))

    def right(self, text: str) -> None:
        """The command did what it was to do."""
        self._line("Right. ", text, "green")

    def hint(self, text: str) -> None:
        """It did not, or it could not be run."""
        self._line("Not yet: ", text, "yellow")

    def solution(self, command: str) -> None:
        """A command that is right."""
        self._line("One way: ", command, "cyan")

    def left(self) -> None:
        """The person goes."""
        self._write("\nNothing is left running. 'pynats learn' goes on from here.\n")

    def end(self) -> None:
        """All steps are done."""
        self._line(
            "\nDone. ", "'pynats help' lists the commands, 'pynats learn --list' these steps.", "green"
        )

    def _line(self, label: str, text: str, style: str) -> None:
        if not self._drawn:
            self._write(f"{label}{text}\n")
            return
        from rich.text import Text

        self._draw(Text.assemble((label, f"bold {style}"), text))

    def _draw(self, *what: RenderableType) -> None:
        for one in what:
            self._console().print(one)

    def _console(self) -> Console:
        from rich.console import Console

        colored = self._environment.colored(self._environment.stdout)
        return Console(file=sys.stdout, highlight=False, width=self._columns, force_terminal=True,
                       color_system="standard" if colored else None)  # fmt: skip

    def _write(self, text: str) -> None:
        self._environment.out(text)


def _lines(seen: Seen) -> list[str]:
    """The log and the output, as they would stand on a terminal of this side."""
    text = visible("\n".join(part.strip("\n") for part in (seen.log, seen.stdout) if part.strip("\n")))
    lines = text.splitlines() or ["(nothing)"]
    return [*lines, f"(exit status {seen.status})"] if seen.status else lines


def _last(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else ["...", *lines[1 - most :]]


def _panes(sides: list[tuple[str, Seen]], console: Console) -> RenderableType:
    """A pane a side, all of one height."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(expand=True)
    width = console.width // len(sides) - 4
    contents = []
    for _, seen in sides:
        grid.add_column(ratio=1)
        wrapped = [part.plain.rstrip() for line in _lines(seen) for part in Text(line).wrap(console, width)]
        contents.append(_last(wrapped, _LINES))
    height = max(map(len, contents))
    grid.add_row(
        *(
            Panel(Text("\n".join(lines)), title=Text(name, "bold"), title_align="left", height=height + 2)
            for (name, _), lines in zip(sides, contents, strict=True)
        )
    )
    return grid
