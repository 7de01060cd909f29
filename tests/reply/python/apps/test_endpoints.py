"""`pynats reply --handler app.py`: several endpoints, the modules beside them, and docs/handlers.md."""

from __future__ import annotations

import json
import re
import signal
import textwrap
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from natscli.system.installing import install_command
from tests.asking import Asker
from tests.program import Program, Runner
from tests.reply.test_docs import run_all
from tests.servers import Server
from tests.test_readme import ROOT

DOCUMENT = (ROOT / "docs" / "handlers.md").read_text()
APP = re.findall(r"^```python\n# app.py\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)[0]


def test_the_document_is_right(runner: Runner, server: Server) -> None:
    (runner.directory / "app.py").write_text(APP)
    run_all(DOCUMENT.partition("## Endpoints")[0], runner, server)
    assert len(APP.splitlines()) <= 36


def test_functions_and_methods_answer_each_on_its_own_subject(
    app: Callable[..., Program], asker: Asker
) -> None:
    program = app("""
        from natscli import endpoint
        class Users:
            @endpoint("m.plain")
            def plain(self, request): return "plain " + request.text
            @endpoint("m.async.*")
            async def slow(self, request): return "async " + request.tokens[-1]
        users = Users()
        @endpoint("f.one")
        @endpoint("f.two", queue="mine")
        def both(request): return request.subject
        """)
    asked = {"m.plain": b"plain x", "m.async.y": b"async y", "f.one": b"f.one", "f.two": b"f.two"}
    for subject, payload in asked.items():
        assert asker.ask(subject, b"x")[0].payload == payload
    assert program.stop() == 0
    assert 'Listening on [f.two] in group "mine"' in program.stderr_text()


CITIES = """
    from dataclasses import dataclass
    from natscli import endpoint
    def api(subject):
        def decorate(function): return endpoint("api." + subject)(function)
        return decorate
    def made(name):
        @endpoint("made." + name)
        def answer(request): return name
        return answer
    class City:
        @endpoint("imported")
        def where(self, request): return "imported"
        @staticmethod
        @endpoint("static")
        def there(request): return "static"
    """
HELD = """
    import xmlrpc.client
    from dataclasses import dataclass
    from functools import wraps
    from cities import City, api, made
    from natscli import endpoint
    def logged(function):
        @wraps(function)
        async def call(request): return "logged " + await function(request)
        return call
    class Proxy:
        def __getattr__(self, name): raise RuntimeError("outside of a context")
        @property
        def __class__(self): raise RuntimeError("outside of a context")
        def __repr__(self): raise RuntimeError("outside of a context")
    @dataclass
    class Number:
        number: int
        def __call__(self, request): return str(self.number)
    proxies = [Proxy(), xmlrpc.client.ServerProxy("http://127.0.0.1:1")]
    by_proxy = {Proxy(): 1}
    for name in ("one", "two"):
        @endpoint("loop." + name)
        async def answer(request, name=name): return name
    for name in ("one", "two"):
        @api(name)
        def asked(request, name=name): return name
    all_made = [made("one"), made("two")]
    by_name = {name: endpoint("lambda." + name)(lambda request, name=name: name) for name in ("one", "two")}
    @logged
    @endpoint("wrapped")
    async def wrapped(request): return "wrapped"
    city = again = City()
    seven = endpoint("seven")(Number(7))
    """


def test_endpoints_of_loops_lists_and_imported_classes_are_all_listened_on(
    app: Callable[..., Program], runner: Runner, asker: Asker
) -> None:
    (runner.directory / "cities.py").write_text(textwrap.dedent(CITIES))
    program = app(HELD)
    asked = {
        f"{kind}.{name}": name.encode()
        for kind in ("loop", "api", "made", "lambda")
        for name in ("one", "two")
    }
    asked |= {"wrapped": b"logged wrapped", "imported": b"imported", "static": b"static", "seven": b"7"}
    for subject, payload in asked.items():
        assert [answer.payload for answer in asker.ask(subject, b"x")] == [payload]
    assert program.stop() == 0
    assert "pynats:" not in program.stderr_text()


def test_what_nothing_holds_is_said_and_another_decorator_never_left_out(
    app: Callable[..., Program], asker: Asker
) -> None:
    program = app("""
        from functools import wraps
        from natscli import endpoint
        class Users:
            @endpoint("get")
            def get(self, request): return "let in"
        def checked(function):
            def call(request): return "checked"
            return call
        def kept(function): return wraps(function)(checked(function))
        @checked
        @endpoint("secret")
        def secret(request): return "let in"
        for name in ("one", "two"):
            @kept
            @endpoint("secret." + name)
            def answer(request): return "let in"
        """)
    for subject in ("get", "secret", "secret.one"):
        assert asker.ask(subject, b"x")[0].header.startswith(b"NATS/1.0 503")
    assert asker.ask("secret.two", b"x")[0].payload == b"checked"
    assert program.stop() == 0
    why = "app.py holds neither its function nor an object that has it; other decorators belong below it"
    for line, subject in ((5, "get"), (11, "secret"), (15, "secret.one")):
        said = f"pynats: app.py:{line}: the endpoint on '{subject}' is not listened on: {why}\n"
        assert said in program.stderr_text()


def test_an_endpoint_may_answer_fewer_at_once_than_the_others(
    app: Callable[..., Program], asker: Asker
) -> None:
    app("""
        import asyncio
        from natscli import endpoint
        running = 0
        async def count(request):
            global running
            running += 1
            await asyncio.sleep(0.05)
            seen, running = running, running - 1
            return str(seen)
        @endpoint("few", concurrency=2)
        async def few(request): return await count(request)
        @endpoint("many")
        async def many(request): return await count(request)
        """)
    assert {answer.payload for answer in asker.ask("few", *[b""] * 6)} == {b"1", b"2"}
    assert b"10" in {answer.payload for answer in asker.ask("many", *[b""] * 10)}


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("def f(r): pass", "app.py has no endpoints"),
        (
            "from natscli import endpoint\nclass C:\n @endpoint('a')\n def f(s, r): pass",
            "app.py holds neither its function nor an object that has it",
        ),
        ("from natscli import endpoint\n@endpoint('a')\ndef f(): pass", "cannot be called with one argument"),
        (
            "from natscli import endpoint\n@endpoint('a')\ndef f(r): pass\n@endpoint('a')\ndef g(r): pass",
            "is an endpoint on 'a' too",
        ),
        (
            "from natscli import endpoint\nclass C:\n @endpoint('a')\n def f(s, r): pass\none, two = C(), C()",
            "app.py:3: another object is an endpoint on 'a' too",
        ),
        (
            "from natscli import endpoint\nclass C:\n def f(s, r): pass\nendpoint('a')(C().f)",
            "TypeError: no endpoint can be said of a method: write a function that calls it (app.py:4: ",
        ),
        ("from natscli import endpoint\n@endpoint('a..b')\ndef f(r): pass", "a subject has no empty token"),
        ("from natscli import endpoint\n@endpoint('a')\ndef f(r): pass\ndef lifespan(app): yield",
         "lifespan(app) cannot be called without an argument"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_before_connecting(runner: Runner, code: str, what: str) -> None:
    (runner.directory / "app.py").write_text(code)
    run = runner("reply", "--handler", "app.py", server="nats://127.0.0.1:1")
    assert run.status == 2, run
    assert what in run.stderr


def test_a_function_without_an_endpoint_needs_a_subject(runner: Runner) -> None:
    (runner.directory / "app.py").write_text("def f(r): pass")
    run = runner("reply", "--handler", "app.py:f", server="nats://127.0.0.1:1")
    assert (run.status, run.errors[0]) == (2, "pynats: error: missing argument 'SUBJECT'")


def test_ten_edits_of_the_documented_app_lose_nothing(
    app: Callable[..., Program], runner: Runner, server: Server, asker: Asker
) -> None:
    pytest.importorskip("watchfiles", reason="--reload needs watchfiles, which the extra reload installs")
    options = ("--service", "users", "--processes", "2", "--reload")
    program = app(APP, *options, ready="processes answer")
    over, answered = threading.Event(), [0, 0]

    def load() -> None:
        with Asker(server) as other:
            while not over.is_set():
                for answer in other.ask("users.get.1", *[b""] * 10):
                    answered[answer.payload != b'{"name": "Ada"}'] += 1

    assert asker.ask("users.add", b"Ada")[0].payload == b'{"id": 1}'
    thread = threading.Thread(target=load)
    thread.start()
    for number in range(10):
        before = program.stderr_text().count("Reloaded app.py")
        (runner.directory / "app.py").write_text(f"{APP}# {number}\n")
        program.wait_until(lambda: program.stderr_text().count("Reloaded app.py") >= before + 2, "reloaded")  # noqa: B023
    over.set()
    thread.join()
    assert answered[1] == 0
    stats = json.loads(runner("service", "stats", "users", "--json", server=server).text)
    assert _requests(stats, "get") == answered[0]
    assert _requests(stats, "add") == 1
    assert program.stop() == 0
    log = program.stderr_text()
    assert log.count("users.db is closed") == 2 * 11
    assert "Traceback" not in log


CHANGING = """
    from natscli import endpoint
    @endpoint("old.{n}", name="moving")
    def moving(request): return "{n}"
    @endpoint("stays", name="{name}")
    async def stays(request): return "{n}"
    """


def test_endpoints_that_are_new_are_listened_on_and_those_that_are_gone_are_not(
    app: Callable[..., Program], runner: Runner, server: Server, asker: Asker
) -> None:
    pytest.importorskip("watchfiles", reason="--reload needs watchfiles, which the extra reload installs")
    program = app(CHANGING.format(n=0, name="first"), "--service", "moves", "--reload")
    over, answered = threading.Event(), [0, 0]

    def load() -> None:
        with Asker(server) as other:
            while not over.is_set():
                for answer in other.ask("stays", *[b""] * 10):
                    answered[not answer.payload.isdigit()] += 1

    thread = threading.Thread(target=load)
    thread.start()
    for number in range(1, 6):
        code = CHANGING.format(n=number, name=f"name-{number}")
        (runner.directory / "app.py").write_text(textwrap.dedent(code))
        program.wait_for(f"Listening on [old.{number}]")
        assert asker.ask(f"old.{number}", b"")[0].payload == b"%d" % number
        assert asker.ask(f"old.{number - 1}", b"")[0].header.startswith(b"NATS/1.0 503")
    over.set()
    thread.join()
    assert answered[1] == 0
    [stats] = json.loads(runner("service", "stats", "moves", "--json", server=server).text)
    found = {one["name"]: (one["subject"], one["num_requests"]) for one in stats["endpoints"]}
    assert found == {"name-5": ("stays", answered[0]), "moving": ("old.5", 1)}
    assert program.stop() == 0
    assert f"Answered {answered[0] + 5:,} requests" in program.stderr_text()  # also by those that are gone
    assert "Not listening any more on [old.4]" in program.stderr_text()


def test_endpoints_that_the_options_do_not_go_with_are_not_reloaded(
    app: Callable[..., Program], runner: Runner, asker: Asker
) -> None:
    pytest.importorskip("watchfiles", reason="--reload needs watchfiles, which the extra reload installs")
    code = "from natscli import endpoint\n@endpoint('one')\ndef one(request): return '1'\n"
    program = app(code, "--service", "x", "--endpoint", "only", "--reload")
    (runner.directory / "app.py").write_text(code + "@endpoint('two')\ndef two(request): return '2'\n")
    program.wait_for("not reloaded, the code before stays: there are 2 endpoints, and one name")
    assert asker.ask("one", b"")[0].payload == b"1"
    assert asker.ask("two", b"")[0].header.startswith(b"NATS/1.0 503")
    assert program.stop() == 0


def test_a_module_that_cannot_be_looked_through_is_an_error_and_not_reloaded(
    app: Callable[..., Program], runner: Runner, asker: Asker
) -> None:
    pytest.importorskip("watchfiles", reason="--reload needs watchfiles, which the extra reload installs")
    good = "from natscli import endpoint\n@endpoint('one')\ndef one(request): return '1'\n"
    shy = "class Shy(type):\n def __dir__(cls): raise RuntimeError('no names')\nclass A(metaclass=Shy): pass\na = A()\n"
    what = "RuntimeError: no names (app.py:5: def __dir__(cls): raise RuntimeError('no names'))"
    program = app(good, "--reload")
    (runner.directory / "app.py").write_text(good + shy)
    program.wait_for(f"not reloaded, the code before stays: {what}")
    run = runner("reply", "--handler", "app.py", server="nats://127.0.0.1:1")
    assert (run.status, run.stderr) == (2, f"pynats: error: {what} (--handler)\n")
    (runner.directory / "app.py").write_text(good.replace("'1'", "'2'"))
    program.wait_for("Reloaded app.py")
    assert asker.ask("one", b"")[0].payload == b"2"


def _requests(value: Any, name: str) -> int:
    """The requests of all endpoints of a name, wherever they are."""
    if isinstance(value, dict):
        own = value.get("num_requests", 0) if value.get("name") == name else 0
        return own + sum(_requests(part, name) for part in value.values())
    return sum(_requests(part, name) for part in value) if isinstance(value, list) else 0


def test_modules_beside_a_handler_do_not_stand_in_for_those_of_python(
    runner: Runner, server: Server, asker: Asker
) -> None:
    folder = runner.directory / "sub"
    folder.mkdir()
    for name in ("json", "nats", "asyncio", "rich"):
        (folder / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    (folder / "helper.py").write_text("import json\nWORD = json.dumps('mine')\n")
    (folder / "app.py").write_text(
        "from natscli import endpoint\nfrom helper import WORD\n"
        "@endpoint('a')\nasync def answer(request): return WORD\n"
    )
    program = runner.spawn("reply", "--handler", "sub/app.py", "--json", "--stats", server=server, anew=True)
    assert asker.ask("a", b"")[0].payload == b'"mine"'
    assert program.stop() == 0


def test_a_missing_package_has_a_hint(runner: Runner) -> None:
    (runner.directory / "app.py").write_text("import no_such_package_at_all\n")
    run = runner("reply", "--handler", "app.py", server="nats://127.0.0.1:1")
    assert run.status == 2
    assert install_command("no_such_package_at_all") in run.stderr


def test_an_error_names_the_deepest_line_of_the_own_modules(
    app: Callable[..., Program], runner: Runner, asker: Asker, tmp_path: Path
) -> None:
    (runner.directory / "helper.py").write_text(
        "import json\ndef parse(text):\n    return json.loads(text)\n"
    )
    program = app("""
        from natscli import endpoint
        import helper
        @endpoint("a")
        def answer(request): return helper.parse(request.text)
        """)
    asker.ask("a", b"{")
    program.wait_for("(helper.py:3: return json.loads(text))")


def test_what_cannot_be_sent_has_the_line_of_the_file_that_its_function_is_in(
    app: Callable[..., Program], runner: Runner, asker: Asker
) -> None:
    (runner.directory / "inside.py").write_text(
        "from natscli import endpoint\n\n\n@endpoint('returns')\ndef returns(r):\n    return {1}\n\n\n"
        "@endpoint('yields')\ndef yields(r):\n    yield {1}\n"
    )
    program = app("from inside import returns, yields\n")
    asker.ask("returns", b"")
    program.wait_for("(inside.py:4: what it returned)")
    asker.ask("yields", b"")
    program.wait_for("(inside.py:9: what it yielded)")
    (runner.directory / "wrong.py").write_text(
        (runner.directory / "inside.py").read_text() + "def bad(r, x): pass\n"
    )
    (runner.directory / "entry.py").write_text("from wrong import bad\n")
    run = runner("reply", "bad", "--handler", "entry.py:bad", "-s", "nats://127.0.0.1:1")
    assert (run.status, "wrong.py:12: bad(r, x) cannot be called" in run.errors[0]) == (2, True)


def test_ten_endpoints_asked_at_once_each_count_their_own_and_the_log_has_all_in_order(
    app: Callable[..., Program], asker: Asker
) -> None:
    """Requests of one read for several endpoints are answered together, whatever becomes of each."""
    program = app(
        """
        import asyncio
        from natscli import ServiceError, endpoint
        large = b"x" * 2_000_000
        async def answer(request):
            last = request.subject[-1]
            if last == "3":
                raise ServiceError(418, "no")
            if last == "7" and request.text.endswith("1"):
                await asyncio.sleep(0.01)
            return large if last == "9" else f"{last} {request.text}"
        async def both(request):
            for _ in range(2):
                yield f"5 {request.text}"
        for digit in range(10):
            endpoint(f"mix.{digit}", name=f"e{digit}")(both if digit == 5 else answer)
        """,
        "--service", "mixed",
    )  # fmt: skip
    wanted = [f"mix.{number % 10}" for number in range(1000)]
    program.send_signal(signal.SIGSTOP)  # so that they come together
    for number, subject in enumerate(wanted):
        asker.send(subject, b"%d" % number)
    program.send_signal(signal.SIGCONT)
    answers = asker.receive(len(wanted) + 200)
    assert Counter(answer.number for answer in answers) == {
        number: 3 if number % 10 == 5 else 1 for number in range(len(wanted))
    }
    for answer in answers:
        last = answer.number % 10
        if last == 3:
            assert b"Nats-Service-Error-Code: 418" in answer.header
        elif last == 9:
            assert b"Nats-Service-Error-Code: 500" in answer.header
        elif last != 5 or answer.payload:  # several end with an empty one
            assert answer.payload == b"%d %d" % (last, answer.number)
    stats = json.loads(asker.ask("$SRV.STATS.mixed", b"")[0].payload)
    found = {one["name"]: (one["num_requests"], one["num_errors"]) for one in stats["endpoints"]}
    assert found == {f"e{digit}": (100, 100 * (digit in (3, 9))) for digit in range(10)}
    assert program.stop() == 0
    numbers = [int(number) for number in re.findall(r"\[#(\d+)\] Received", program.stderr_text())]
    assert numbers == list(range(len(wanted)))
