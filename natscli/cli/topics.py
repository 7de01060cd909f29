"""`pynats help TOPIC`: the pages of docs/, or sections of them, that belong to a topic and to commands."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from natscli.environment import Environment
from natscli.text import bytes_for_programs

#: What git gives `less` too: quit if it fits on the screen, pass colours on, and leave the text there.
_LESS = "FRX"


class Topic(NamedTuple):
    """What a topic is about, its page of docs/ and the sections of it (none: all), and the commands it belongs to."""

    text: str
    page: str
    sections: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


#: A row a topic. A page that is named here is in the wheel, see pyproject.toml; a test holds the two together.
TOPICS: dict[str, Topic] = {
    "contexts": Topic("named settings, and which settings are used", "contexts", (), ("context", "context add")),
    "credentials": Topic(
        "creds files, nkeys, JWTs, op://, nsc://, env://", "contexts",
        ("Kinds of credentials", "Where credentials are read from", "JWTs that expire"), ("context", "context add"),
    ),
    "connections": Topic("what happens when servers go, move or refuse", "connections", (), ("reply", "watch")),
    "formats": Topic("NestJS, FastStream: frameworks with envelopes", "interoperability", ("Formats",), ("request",)),
    "tls": Topic("certificates, failed handshakes, proxies", "tls", (), ("context add",)),
    "templates": Topic("{{Count}}, {{ID}}, {{Request}}, ...", "templates", (), ("reply", "request", "publish")),
    "exit-status": Topic("what each exit status means", "scripts", ("Exit status",), ("request",)),
    "scripts": Topic("pipes, standard input, retries, files", "scripts", (), ("request",)),
    "load": Topic("many requests, open and closed loops, CI", "load", (), ("request", "compare")),
    "expectations": Topic("replies that are not as expected", "request", ("Expectations",), ("request",)),
    "handlers": Topic("services in Python", "handlers", (), ("reply",)),
    "mock": Topic("the form of a mock file, recordings", "reply", ("Recording and mocking",), ("reply", "verify")),
    "pipe": Topic("programs that keep running", "reply", ("Programs that keep running",), ("reply",)),
    "services": Topic("NATS services (ADR-32)", "reply", ("Services",), ("reply", "service")),
    "replying": Topic("all ways to answer requests", "reply"),
    "requesting": Topic("all ways to send requests", "request"),
    "watching": Topic("what an exchange is, inboxes", "watch", (), ("watch",)),
    "testing": Topic("record, mock and verify services", "testing", (), ("verify",)),
    "tracing": Topic("where a message goes", "trace", (), ("trace",)),
    "pubsub": Topic("publish and subscribe", "pubsub", (), ("publish", "subscribe")),
    "python": Topic("contexts in Python programs", "python"),
    "differences": Topic("from the nats CLI", "differences"),
    "install": Topic("extras, completion, man pages", "install"),
}  # fmt: skip


def topics_of(command: str) -> list[str]:
    """The topics that belong to a command, which is named without `pynats`."""
    return [name for name, topic in TOPICS.items() if command in topic.commands]


def text_of(topic: Topic) -> str:
    """The page of a topic, or its sections, as Markdown.

    Raises:
        OSError: the page is not there.
    """
    with open(os.path.join(_folder(), f"{topic.page}.md"), encoding="utf-8") as file:
        page = file.read()
    if not topic.sections:
        return page
    sections = {s.partition("\n")[0].strip(): s for s in re.split(r"^## ", page, flags=re.MULTILINE)[1:]}
    return "\n".join(f"## {sections[name].rstrip()}\n" for name in topic.sections)


def show_topic(environment: Environment, topic: Topic, width: int) -> None:
    """Write the text of a topic to stdout: drawn, and in a pager as git does, on a terminal; else as it is."""
    text = text_of(topic)
    if not environment.stdout.isatty():
        environment.out(text)
        return
    drawn = _drawn(environment, text, width)
    if not _paged(environment, drawn):
        environment.out(drawn)


def _folder() -> str:
    """Where the pages are: in the package when it is installed, beside it in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.join(package, "docs")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "docs")


def _drawn(environment: Environment, text: str, width: int) -> str:
    import io

    from rich.console import Console
    from rich.markdown import Markdown

    color = "standard" if environment.colored(environment.stdout) else None
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=color, width=width,  # type: ignore[arg-type]
                      legacy_windows=False, _environ={})  # fmt: skip
    console.print(Markdown(text, hyperlinks=False, code_theme="ansi_dark"))
    return file.getvalue()


def _paged(environment: Environment, text: str) -> bool:
    """Show a text in $PAGER, or `less`; whether there was one."""
    import shlex
    import shutil
    import subprocess

    environ = environment.environ
    try:
        words = shlex.split(environ.get("PAGER", "less"))
    except ValueError:
        return False
    program = shutil.which(words[0], path=environ.get("PATH")) if words else None
    if program is None or words == ["cat"]:
        return False
    pager = subprocess.Popen([program, *words[1:]], stdin=subprocess.PIPE, env={"LESS": _LESS, **environ})
    assert pager.stdin is not None
    try:
        with pager.stdin as stdin:
            stdin.write(bytes_for_programs(text))
    except BrokenPipeError:
        pass  # it was left before its end
    while True:
        try:
            pager.wait()
        except KeyboardInterrupt:  # Ctrl-C is for the pager
            continue
        return True
