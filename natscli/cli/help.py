"""`-h`, one screen of 24 lines, and `--help`, everything: a page laid out in lines and shown, drawn on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from natscli.cli.options import CONNECTION
from natscli.cli.pages import Entry, Page
from natscli.environment import Environment
from natscli.errors import EXIT_STATUS_NAMES
from natscli.system.terminal import columns

#: A piece of a line: what it is (a key of `STYLES`, or nothing) and its text.
Span = tuple[str, str]
Line = list[Span]

#: rich's style of each kind of text.
STYLES = {"heading": "bold", "name": "bold cyan", "metavar": "green", "code": "cyan", "note": "dim"}

NARROWEST, WIDEST = 50, 100
_COLUMN = 32
#: Lines of a screen.
_SCREEN = 24


def width_of(environment: Environment) -> int:
    """How wide help on stdout may be: COLUMNS, the terminal's width, or 80; from 50 to 100."""
    return max(NARROWEST, min(columns(environment.stdout, environment.environ), WIDEST))


def show(environment: Environment, lines: Iterable[Line]) -> None:
    """Write laid out lines to stdout, with rich where it is coloured."""
    if environment.colored(environment.stdout):
        environment.out(draw(lines))
    else:
        environment.out(plain(lines))


def plain(lines: Iterable[Line]) -> str:
    """The lines as text."""
    return "".join(f"{''.join(text for _, text in line).rstrip()}\n" for line in lines)


def draw(lines: Iterable[Line]) -> str:
    """The lines with colours."""
    import io

    from rich.console import Console
    from rich.text import Text

    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="standard", highlight=False, width=WIDEST,
                      legacy_windows=False, _environ={})  # fmt: skip
    for line in lines:
        console.print(Text.assemble(*((text, STYLES.get(kind, "")) for kind, text in line)), soft_wrap=True)
    return file.getvalue()


def short(page: Page, width: int = 80) -> Iterator[Line]:
    """One screen: usage, one line, commands with an alias, examples, common options, exits, how to see the rest."""
    *lines, last = _short(page, width)
    if page.names_exits:
        names = ", ".join(f"{int(status)} {name}" for status, name in EXIT_STATUS_NAMES.items())
        lines += _wrapped([("heading", "Exit"), *_words(names)], width)
    if page.topics:
        lines.append([("heading", "Topics: "), ("code", f"pynats help {', '.join(page.topics)}")])
    lines.append(last)
    while len(lines) > _SCREEN and [] in lines:  # what is said comes before the space around it
        del lines[len(lines) - 1 - lines[::-1].index([])]
    yield from lines


def _short(page: Page, width: int) -> Iterator[Line]:
    top = [*_top(page, width)]
    # A list of commands needs the line.
    yield from (line for line in top if line) if page.commands else top
    commands = [Entry(", ".join(entry.names.split(", ")[:2]), entry.text) for entry in page.commands]
    yield from table("Commands", commands, width)
    examples = [Entry(command, what) for command, what in page.examples[: page.short_examples]]
    yield from _examples(examples, width)
    common = [entry for section in page.options for entry in section.entries if entry.common]
    yield from table("Options", common, width)
    yield []
    if page.commands:
        topics = [("", "; on topics: "), ("code", "pynats help")] if page.command == "pynats" else []
        yield [("heading", "Help on a command: "), ("code", f"{page.command} COMMAND -h"), *topics]
    if page.connects:
        names = "-s, --context, --creds, --timeout, ..."
        yield [("heading", "Connection: "), ("name", names), ("", "; all with --help")]
    else:
        yield [("heading", "All options: "), ("code", f"{page.command} --help")]


def full(page: Page, width: int, *, connection: bool = True) -> Iterator[Line]:
    """Everything; without `connection` the connection options are only named."""
    yield from _top(page, width)
    for paragraph in page.description:
        yield []
        yield from _paragraph(paragraph, width)
    yield from table("Commands", page.commands, width)
    yield from _examples([Entry(command, what) for command, what in page.examples], width)
    for section in page.options:
        if section.heading == CONNECTION and not connection:
            yield []
            yield [("heading", f"{CONNECTION}:"), ("", " the options of pynats.")]
        else:
            yield from table(section.heading, section.entries, width)
    for note in page.notes:
        yield []
        yield from _paragraph(note, width)
    for section in page.appendix:
        yield from table(section.heading, section.entries, width)
    if page.topics:
        yield []
        yield [("heading", "Topics: "), ("code", f"pynats help {', '.join(page.topics)}")]


def _top(page: Page, width: int) -> Iterator[Line]:
    own = len(page.command.split())
    words = [("name" if n < own else "metavar", word) for n, word in enumerate(page.usage.split())]
    first, *rest = _wrapped(words, width - 7)
    yield [("heading", "Usage: "), *first]
    yield from ([("", " " * 7), *line] for line in rest)
    yield []
    yield from _wrapped(_words(page.summary), width)


def _paragraph(text: str, width: int) -> Iterator[Line]:
    """Wrapped to the width; or, when a line is indented, as it is, with its first line as a heading."""
    lines = text.splitlines()
    if len(lines) == 1:
        yield from _wrapped(_words(text), width)
        return
    for number, line in enumerate(lines):
        yield [("heading" if number == 0 and line.endswith(":") else "", line)]


def table(heading: str, entries: Sequence[Entry], width: int) -> Iterator[Line]:
    """Two columns; a name that is too long has its description on the next line."""
    if not entries:
        return
    yield []
    yield [("heading", f"{heading}:")]
    fitting = [len(e.label) + 4 for e in entries if len(e.label) + 4 <= _COLUMN]
    column = max(fitting, default=_COLUMN)
    for entry in entries:
        lines = _wrapped(_words(entry.text), width - column) or [[]]
        left: Line = [("", "  "), ("name", entry.names)]
        left += [("", " "), ("metavar", entry.metavar)] if entry.metavar else []
        gap = column - len(entry.label) - 2
        if gap < 2:
            yield left
        else:
            yield [*left, ("", " " * gap), *lines.pop(0)]
        yield from ([("", " " * column), *line] for line in lines)


def _examples(entries: Sequence[Entry], width: int) -> Iterator[Line]:
    """Command lines with what they do beside them, or below where there is no room."""
    if not entries:
        return
    yield []
    yield [("heading", "Examples:")]
    column = max(len(entry.names) for entry in entries) + 4
    beside = column + max(len(entry.text) for entry in entries) <= width
    for entry in entries:
        if beside and entry.text:
            yield [("", "  "), ("code", entry.names.ljust(column - 2)), ("note", entry.text)]
        else:
            yield [("", "  "), ("code", entry.names)]
            if entry.text:
                yield from (
                    [("", " " * 6), *line] for line in _wrapped(_words(entry.text, "note"), width - 6)
                )


def _words(text: str, kind: str = "") -> list[Span]:
    """The words of a text; what stands in brackets at its end (default, variable) is a note."""
    start = text.rfind("[") if text.endswith("]") else len(text)
    return [(kind, word) for word in text[:start].split()] + [("note", word) for word in text[start:].split()]


def _wrapped(words: Sequence[Span], width: int) -> list[Line]:
    lines: list[Line] = []
    used = width
    for kind, word in words:
        if lines and used + 1 + len(word) <= width:
            before, text = lines[-1][-1]
            lines[-1][-1:] = (
                [(kind, f"{text} {word}")] if before == kind else [(before, f"{text} "), (kind, word)]
            )
            used += 1 + len(word)
        else:
            lines.append([(kind, word)])
            used = len(word)
    return lines
