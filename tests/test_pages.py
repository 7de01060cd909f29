"""Every example of every page is run, or, where it would load a service for long, parsed and checked.

The README, docs/install.md, scripts.md and python.md are run by `test_readme`; the pages of a feature by the tests of
that feature; the others here.
"""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.cli.groups import Command
from tests.cli.test_help import pynats_lines
from tests.cli.test_root import in_process
from tests.interop.test_nestjs_requests import server as nestjs  # noqa: F401
from tests.peers import Peers
from tests.program import Program, Run, Runner
from tests.servers import Server, free_port
from tests.test_readme import ROOT, pattern, steps

Spawn = Callable[..., Program]
#: Where the examples of each page are run.
RUN_BY = {
    "README": "tests/test_readme.py", "install": "tests/test_readme.py", "scripts": "tests/test_readme.py",
    "contexts": "tests/contexts/test_docs.py", "tls": "tests/contexts/test_docs.py",
    "reply": "tests/reply/test_docs.py", "handlers": "tests/reply/python/apps/test_endpoints.py",
    "testing": "tests/verify/test_docs.py", "watch": "tests/watch/test_docs.py",
    "templates": "tests/cli/test_topics.py", "learn": "tests/learn/test_learn.py",
    **dict.fromkeys(("trace", "interoperability", "load", "pubsub", "rtt", "request"), "tests/test_pages.py"),
}  # fmt: skip


def page(name: str) -> str:
    return (ROOT / "README.md" if name == "README" else ROOT / "docs" / f"{name}.md").read_text()


def shows(shown: str, run: Run) -> None:
    """Hold that `shown`, a line of a page, is a line of the output; columns are as wide as what is in them."""
    expected = re.sub(r"(\\ ){2,}", r" +", pattern(shown))
    assert re.search(f"^{expected}$", run.text + run.stderr, re.MULTILINE), (shown, run)


def words_of(command: str) -> list[str]:
    """The arguments of pynats."""
    name, *words = shlex.split(command)
    assert name == "pynats"
    return words


def test_every_page_with_examples_has_a_test_that_runs_them() -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"README"}
    assert {name for name in pages if "```console" in page(name)} == set(RUN_BY)
    for name, file in RUN_BY.items():
        assert name.lower() in (ROOT / file).read_text().lower(), (name, file)


@pytest.mark.parametrize(
    "name", [name for name in sorted(RUN_BY) if re.search(r"^```sh\n.*pynats ", page(name), re.M)]
)
def test_commands_of_scripts_are_command_lines_that_pynats_takes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Command, "invoke", lambda *_: None)  # all is parsed and checked, nothing is run
    blocks = re.findall(r"^```sh\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("pynats ")]
    assert lines
    for line in lines:
        for arguments in pynats_lines(re.sub(r" 2> >\(.*| +# .*", "", line)):
            status, _, errors = in_process(*arguments)
            assert (status, errors) == (0, ""), line


def test_trace_shows_what_is_written_there(
    runner: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    ports = free_port(), free_port()
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
    east = [
        server_factory(
            f'server_name: east-{number}\ncluster {{ name: east, listen: "127.0.0.1:{port}", routes: [{routes}] }}\n'
            "accounts { APP: { users: [{user: a, password: a}], mappings: { orders.new: orders.v2.new } } }\n"
            "no_auth_user: a\n"
        )
        for number, port in enumerate(ports, 1)
    ]

    async def keep(message: object) -> None: ...

    peers.respond(peers.connect(east[0].url, name="billing"), "orders.v2.*", keep, "billing")
    peers.respond(peers.connect(east[1].url, name="audit"), "orders.>", keep)
    [step] = steps(page("trace"))
    while True:  # until the servers of the cluster know of each other's subscribers
        run = runner(*words_of(step.command), server=east[0])
        if "2 clients" in run.stderr:
            break
    *tree, last = step.shown
    assert len(run.lines) == len(tree)
    for shown, line in zip(tree, run.lines, strict=True):
        assert re.fullmatch(pattern(shown), line), (shown, run.text)
    assert run.errors == [last]


def test_requests_to_nestjs_are_answered_as_written_there(
    nestjs: Server,  # noqa: F811
    pynats: Runner,
) -> None:
    requests = [step for step in steps(page("interoperability")) if " request " in step.command]
    assert len(requests) == 2
    for step in requests:
        run = pynats(*words_of(step.command), server=nestjs)
        assert (run.status, run.lines) == (0, step.shown), step


def test_packets_of_nestjs_are_watched_as_written_there(
    pynats: Runner, spawn: Spawn, nats_server: Server
) -> None:
    [step] = [step for step in steps(page("interoperability")) if " watch " in step.command]
    spawn("reply", "orders.sum", "3", "--format", "nestjs", "--queue", "nest", server=nats_server)
    watch = spawn(*words_of(step.command), server=nats_server, ready="Watching [")
    pynats("request", "orders.sum", "[1,2]", "--format", "nestjs", server=nats_server)
    watch.wait_for("[1,2] -> 3")
    [line] = watch.stdout_bytes().decode().splitlines()
    assert re.fullmatch(pattern(step.shown[0]), line)


def test_messages_are_published_and_received_as_written_there(
    pynats: Runner, spawn: Spawn, nats_server: Server
) -> None:
    subscribe, publish = steps(page("pubsub"))
    subscriber = spawn(*words_of(subscribe.command), server=nats_server, ready="Subscribed")
    run = pynats(*words_of(publish.command), server=nats_server)
    for line in publish.shown:
        shows(line, run)
    subscriber.wait_for('{"id": 1}')
    received = Run(0, subscriber.stdout_bytes(), subscriber.stderr_text(), 0)
    for line in subscribe.shown:
        shows(line, received)


def test_loads_are_run_and_judged_as_written_there(pynats: Runner, spawn: Spawn, nats_server: Server) -> None:
    ran = 0
    for step in steps(page("load")):
        words = words_of(step.command)
        if words[0] == "reply":
            spawn(*words, server=nats_server)
            continue
        run = pynats(*words, server=nats_server)
        assert run.status == step.status, (step, run.stderr)
        for line in step.shown:
            shows(line, run)
        ran += 1
    assert ran == 5


def test_the_rtt_is_shown_as_written_there(pynats: Runner, nats_server: Server) -> None:
    [step] = steps(page("rtt"))
    addresses = {found[4][0] for found in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)}
    if addresses != {"127.0.0.1"}:
        step.shown[:] = [line.replace("localhost", "127.0.0.1") for line in step.shown]
        command = step.command.replace("localhost", "127.0.0.1")
    else:
        command = step.command
    run = pynats(*words_of(command.replace("4222", str(nats_server.port))))
    assert run.status == 0
    for line in step.shown:
        shows(line, run)


def test_the_instance_that_stayed_silent_is_named_as_written_there(
    pynats: Runner, spawn: Spawn, nats_server: Server, tmp_path: Path
) -> None:
    [step] = [step for step in steps(page("request")) if "--expect-service" in step.command]
    for host, options in (("web-1", []), ("web-2", ["--sleep", "20s..20s"])):
        spawn(
            "reply", "parts.find", "found", "--service", "parts", "--queue", "", "--metadata", f"host={host}",
            *options, server=nats_server, cwd=tmp_path,
        )  # fmt: skip
    run = pynats(*words_of(step.command), server=nats_server)
    assert run.status == step.status
    [shown] = step.shown
    expected = re.sub(r": \S+ \(", r": [A-Za-z0-9]+ (", shown)  # the id
    before, after = expected.split(": [A-Za-z0-9]+ (")
    assert re.fullmatch(f"{pattern(before)}: \\w+ \\({pattern(after)}", run.errors[-1]), run.errors
