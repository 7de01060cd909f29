"""`pynats reply --handler`, run for real against a real server."""

from __future__ import annotations

import json
import re
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asking import Answer, Asker
from tests.program import Program, Runner

Serve = Callable[..., Program]


@pytest.fixture
def serve(runner: Runner, asker: Asker, tmp_path: Path) -> Serve:
    """`serve(code, *options)` answers on `<test>.>` with the function `answer` of that code."""

    def serve(code: str, *options: str) -> Program:
        file = runner.directory / "calc.py"
        file.write_text(textwrap.dedent(code))
        return runner.spawn(
            "reply", f"{tmp_path.name}.>", "--handler", "calc.py:answer", *options, server=asker.url
        )

    return serve


@pytest.fixture
def ask(asker: Asker, tmp_path: Path) -> Callable[..., Answer]:
    def ask(payload: bytes = b"", *, rest: str = "x", header: bytes = b"") -> Answer:
        return asker.ask(f"{tmp_path.name}.{rest}", payload, header=header)[0]

    return ask


Ask = Callable[..., Answer]
KINDS = pytest.mark.parametrize("kind", ["def", "async def"])
JSON = [b"Content-Type: application/json"]


@KINDS
@pytest.mark.parametrize(
    ("value", "lines", "payload"),
    [
        ("b'\\0\\xff'", [], b"\0\xff"),
        ("bytearray(b'a')", [], b"a"),
        ("'h\\u00e9'", [], "hé".encode()),
        ("None", [], b""),
        ("{'a': [1, None]}", JSON, b'{"a": [1, null]}'),
        ("2.5", JSON, b"2.5"),
        ("True", JSON, b"true"),
        ("Reply('x', headers={'A': '1', 'B': ['2', '3']})", [b"A: 1", b"B: 2", b"B: 3"], b"x"),
        ("Reply([1], headers={'content-type': 'x/y'})", [b"content-type: x/y"], b"[1]"),
    ],
)
def test_what_a_handler_returns_is_the_reply(
    serve: Serve, ask: Ask, kind: str, value: str, lines: list[bytes], payload: bytes
) -> None:
    serve(f"from natscli import Reply\n{kind} answer(request): return {value}")
    answer = ask()
    assert (answer.lines, answer.payload) == (lines, payload)


@KINDS
def test_a_handler_gets_the_whole_request(serve: Serve, ask: Ask, tmp_path: Path, kind: str) -> None:
    serve(f"""
        {kind} answer(request):
            r = request
            return [r.subject, r.tokens, r.headers, r.header_pairs, r.data.hex(), r.text, r.json(), r.count]
    """)
    ask()
    answer = ask(b"[1.5]", rest="a.b", header=b"NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n")
    subject = f"{tmp_path.name}.a.b"
    assert json.loads(answer.payload) == [
        subject, subject.split("."), {"A": "1"}, [["A", "1"], ["A", "2"]], b"[1.5]".hex(), "[1.5]", [1.5], 1,
    ]  # fmt: skip


def test_headers_of_the_command_line_come_first(serve: Serve, ask: Ask) -> None:
    serve("def answer(r): return {}", "-H", "N: {{Count}}")
    assert ask().lines == [b"N: 0", *JSON]


def problem(code: int, text: str) -> list[bytes]:
    return [f"Nats-Service-Error: {text}".encode(), f"Nats-Service-Error-Code: {code}".encode()]


@KINDS
def test_a_service_error_is_answered_with_its_code_and_text(serve: Serve, ask: Ask, kind: str) -> None:
    program = serve(f"""
        from natscli import ServiceError
        {kind} answer(r): raise ServiceError(404, "no such\\ncity", data="try london", headers={{"A": "1"}})
    """)
    answer = ask()
    assert answer.lines == [*problem(404, "no such city"), b"A: 1"]
    assert answer.payload == b"try london"
    program.wait_for("pynats: [#0] no such city")


@KINDS
def test_any_other_exception_is_an_error_500_and_shown_with_its_line(
    serve: Serve, ask: Ask, kind: str
) -> None:
    program = serve(f"""
        import json
        {kind} answer(r):
            return json.loads(secret(r))

        def secret(r):
            raise KeyError("s3cr3t")
    """)
    answer = ask()
    assert (answer.lines, answer.payload) == (problem(500, "the handler failed: KeyError"), b"")
    program.wait_for("pynats: [#0] KeyError: 's3cr3t' (calc.py:7: raise KeyError(\"s3cr3t\"))")
    assert "Traceback" not in program.stderr_text()


def test_the_line_shown_is_the_handlers_own(serve: Serve, ask: Ask) -> None:
    program = serve("""
        import fractions
        async def answer(r):
            return fractions.Fraction(r.text)
    """)
    ask(b"x")
    program.wait_for("(calc.py:4: return fractions.Fraction(r.text))")


def test_the_whole_traceback_is_shown_with_trace(serve: Serve, ask: Ask) -> None:
    program = serve("def answer(r): return 1 / 0", "--trace")
    ask()
    program.wait_for("trace: ZeroDivisionError: division by zero")
    assert "trace: Traceback (most recent call last):" in program.stderr_text()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("return {1, 2}", "TypeError"),
        ("return float('nan')", "ValueError"),
        ("return '\\ud800'", "UnicodeEncodeError"),
        ("return object()", "TypeError"),
        ("return Reply('', headers={'A B': 'x'})", "ValueError"),
        ("return Reply('', headers={'A': 'x\\r\\nEvil: y'})", "ValueError"),
        ("raise ServiceError(400, 'x', headers={'A': 'x\\r\\nEvil: y'})", "ValueError"),
        ("raise ServiceError(400, 'x', data={1, 2})", "TypeError"),
        ("raise ServiceError('400', 'x')", "TypeError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("raise Odd", "Odd"),
        ("raise Silent", "Silent"),
        ("return asyncio.sleep(0)", "TypeError"),
        ("raise asyncio.CancelledError", "CancelledError"),
    ],
)
@KINDS
def test_what_cannot_be_sent_is_an_error_500(
    serve: Serve, ask: Ask, kind: str, body: str, shown: str
) -> None:
    program = serve(f"""
        import asyncio
        from natscli import Reply, ServiceError
        class Odd(BaseException): pass
        class Silent(Exception):
            def __str__(self): raise OSError
        {kind} answer(r):
            if r.count: return "fine"
            {body}
    """)
    assert ask().lines == problem(500, f"the handler failed: {shown}")
    assert ask().payload == b"fine"
    assert program.status is None
    program.wait_for(f"[#0] {shown}")
    assert re.search(rf"\[#0\] {shown}.*\(calc.py:(7|9): .*\)$", program.stderr_text(), re.MULTILINE)
    assert program.stop() == 0


def test_a_service_error_may_hold_what_a_reply_may(serve: Serve, ask: Ask) -> None:
    serve("""
        from http import HTTPStatus
        from natscli import ServiceError
        def answer(r): raise ServiceError(HTTPStatus.CONFLICT, "taken", data={"by": 7})
    """)
    answer = ask()
    assert (answer.lines, answer.payload) == ([*problem(409, "taken"), *JSON], b'{"by": 7}')


@pytest.mark.parametrize("call", ["exit()", "quit(1)", "sys.exit()"])
def test_a_handler_that_exits_ends_its_request_only(serve: Serve, ask: Ask, call: str) -> None:
    program = serve(f"import sys\ndef answer(r):\n    if not r.count: {call}\n    return b'on'")
    assert ask().lines == problem(500, "the handler failed: SystemExit")
    assert ask().payload == b"on"
    assert program.stop() == 0
    assert "Traceback" not in program.stderr_text()


@pytest.mark.parametrize(
    ("what", "text"), [("json()", "the payload is not JSON: "), ("text", "the payload is not UTF-8")]
)
def test_a_payload_that_is_not_what_was_expected_is_an_error_400(
    serve: Serve, ask: Ask, what: str, text: str
) -> None:
    serve(f"def answer(r): return r.{what}")
    answer = ask(b"\xff{")
    assert answer.lines[0].startswith(f"Nats-Service-Error: {text}".encode())
    assert answer.lines[1] == b"Nats-Service-Error-Code: 400"


@KINDS
def test_what_is_printed_goes_to_the_log_and_never_into_the_data(serve: Serve, ask: Ask, kind: str) -> None:
    program = serve(f"""
        import logging, subprocess, warnings
        print("imported")
        {kind} answer(r):
            logging.warning("logged %s", "\x1b]0;title\x07")
            warnings.warn("old")
            print("two", "words\\nand a\\x1b[1m line")
            print("no end", end="", flush=True)
            subprocess.run(["echo", "from a child"])
            return b"OK"
    """)
    assert ask(b"data").payload == b"OK"
    assert program.stop() == 0
    assert program.stdout_bytes() == b"data\n"
    log = program.stderr_text()
    for line in (" imported\n", " two words\n", " and a\\x1b[1m line\n", " no end\n", "from a child\n"):
        assert line in log
    assert " WARNING:root:logged \\x1b]0;title\\x07\n" in log
    assert "UserWarning: old\n" in log


@KINDS
def test_what_it_yields_and_cannot_be_sent_is_an_error_with_its_line(
    serve: Serve, asker: Asker, tmp_path: Path, kind: str
) -> None:
    program = serve(f"""
        {kind} answer(r):
            try:
                yield 1
                yield {{1, 2}}
            finally:
                print("closed")
    """)
    asker.send(f"{tmp_path.name}.x", b"")
    answers = asker.receive(2)
    assert answers[0].payload == b"1"
    assert answers[1].lines[0] == b"Nats-Service-Error: the handler failed: TypeError"
    program.wait_for("closed")
    assert program.stop() == 0
    said = "TypeError: Object of type set is not JSON serializable (calc.py:2: what it yielded)"
    assert f"pynats: [#0] {said}" in program.stderr_text()


@KINDS
def test_bytes_that_are_printed_go_to_the_log(serve: Serve, ask: Ask, kind: str) -> None:
    program = serve(f"""
        import sys
        {kind} answer(r):
            sys.stdout.buffer.write("caf\u00e9".encode()[:-1])
            sys.stdout.buffer.write(memoryview("\u00e9".encode()[1:] + b" 1\\n"))
            sys.stderr.buffer.write(b"odd \\xff \\x1b[2J")
            sys.stderr.buffer.flush()
            return b"OK"
    """)
    assert ask(b"data").payload == b"OK"
    assert program.stop() == 0
    assert program.stdout_bytes() == b"data\n"
    assert " caf\u00e9 1\n" in program.stderr_text()
    assert " odd \\xff \\x1b[2J\n" in program.stderr_text()


@pytest.mark.parametrize(
    "later", ["asyncio.ensure_future(fail())", "asyncio.get_running_loop().call_soon(wrong)"]
)
def test_what_a_task_of_a_handler_raises_is_logged(serve: Serve, ask: Ask, later: str) -> None:
    program = serve(f"""
        import asyncio
        def wrong(): raise KeyError("late")
        async def fail(): wrong()
        async def answer(r):
            {later}
            return b"OK"
    """)
    assert ask().payload == b"OK"
    program.wait_for("KeyError: 'late' (calc.py:3: def wrong(): raise KeyError(\"late\"))")
    assert program.stop() == 0


def test_a_plain_handler_does_not_block_other_requests(serve: Serve, asker: Asker, tmp_path: Path) -> None:
    serve("""
        import time
        def answer(r):
            time.sleep(0.1)
            return r.data
    """)
    payloads = [b"%d" % number for number in range(50)]
    for _ in range(3):
        began = time.monotonic()
        answers = asker.ask(f"{tmp_path.name}.x", *payloads)
        took = time.monotonic() - began
        assert [answer.payload for answer in answers] == payloads
        if took < 0.3:
            return
    raise AssertionError(f"50 at once took {took} s")


@KINDS
def test_no_more_run_at_once_than_concurrency_allows(
    serve: Serve, asker: Asker, tmp_path: Path, kind: str
) -> None:
    pause = "time.sleep(0.02)" if kind == "def" else "await asyncio.sleep(0.02)"
    serve(
        f"""
        import asyncio, time
        running = most = 0
        {kind} answer(r):
            global running, most
            running += 1
            most = max(most, running)
            {pause}
            running -= 1
            return most
        """,
        "--concurrency", "3",
    )  # fmt: skip
    answers = asker.ask(f"{tmp_path.name}.x", *[b""] * 30)
    assert max(int(answer.payload) for answer in answers) == 3


def test_requests_that_wait_do_not_hold_up_those_that_do_not(
    serve: Serve, asker: Asker, tmp_path: Path
) -> None:
    serve("""
        import asyncio
        go = asyncio.Event()
        async def answer(r):
            if r.text == "go":
                go.set()
            elif r.text == "wait":
                async with asyncio.timeout(20) if hasattr(asyncio, "timeout") else asyncio.Lock():
                    await go.wait()
            return r.text
    """)
    asker.send(f"{tmp_path.name}.x", *[b"wait", b"quick"] * 20)
    assert {answer.payload for answer in asker.receive(20)} == {b"quick"}
    asker.send(f"{tmp_path.name}.x", b"go")
    assert sorted(answer.payload for answer in asker.receive(21)) == [b"go", *[b"wait"] * 20]


def test_what_is_printed_without_a_line_end_is_logged_in_parts(serve: Serve, ask: Ask) -> None:
    program = serve("async def answer(r): print('.' * 600, end='')")
    ask()
    ask()
    program.wait_for("." * 1200)
    assert program.status is None


@KINDS
def test_requests_do_not_see_each_others_context_variables(
    serve: Serve, asker: Asker, tmp_path: Path, kind: str
) -> None:
    serve(f"""
        from contextvars import ContextVar
        user = ContextVar("user", default="nobody")
        {kind} answer(r):
            before = user.get()
            user.set(r.text)
            return before
    """)
    answers = asker.ask(f"{tmp_path.name}.x", *[b"ann", b"bob"] * 20)
    assert {answer.payload for answer in answers} == {b"nobody"}


def test_draining_waits_for_handlers(serve: Serve, asker: Asker, tmp_path: Path) -> None:
    program = serve("""
        import asyncio
        async def answer(r):
            await asyncio.sleep(float(r.text))
            return "done"
    """)
    asker.send(f"{tmp_path.name}.x", b"0.5")
    program.wait_for("[#0]")
    assert program.stop() == 0
    assert asker.receive(1)[0].payload == b"done"


@KINDS
def test_a_handler_that_hangs_does_not_hold_up_a_second_signal(
    serve: Serve, asker: Asker, tmp_path: Path, kind: str
) -> None:
    pause = "time.sleep(1000)" if kind == "def" else "await asyncio.sleep(1000)"
    program = serve(f"import asyncio, time\n{kind} answer(r): {pause}")
    asker.send(f"{tmp_path.name}.x", b"")
    program.wait_for("[#0]")
    program.send_signal(15)
    program.wait_for("Draining")
    began = time.monotonic()
    program.send_signal(15)
    assert program.wait() == 130
    assert time.monotonic() - began < 5
    *_, summary, error = program.stderr_text().splitlines()
    assert summary.startswith("Answered 0 of 1 request in ")
    assert error == "pynats: error: interrupted"


def test_an_async_handler_that_blocks_does_not_hold_up_a_second_signal(
    serve: Serve, asker: Asker, tmp_path: Path
) -> None:
    program = serve("import time\nasync def answer(r): print('blocks'); time.sleep(1000)")
    asker.send(f"{tmp_path.name}.x", b"")
    program.wait_for("blocks")
    program.send_signal(15)
    time.sleep(1)
    assert program.status is None
    program.send_signal(15)
    assert program.wait() == 130
    assert "stopped, requests left unanswered: 1" in program.stderr_text()


def test_a_handler_can_be_in_a_module_and_import_what_is_beside_it(
    runner: Runner, asker: Asker, tmp_path: Path
) -> None:
    package = runner.directory / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "prices.py").write_text("PRICES = {'tea': 2}\n")
    (package / "answers.py").write_text(
        "from .prices import PRICES\nclass Shop:\n    @staticmethod\n    def price(r): return PRICES[r.text]\n"
    )
    spawn = ("reply", tmp_path.name, "--handler", "shop.answers:Shop.price")
    runner.spawn(*spawn, server=asker.url)
    assert asker.ask(tmp_path.name, b"tea")[0].payload == b"2"


BROKEN = {
    "x": ("'x' names no function", None),
    ":f": ("':f' names no function", None),
    "calc.py:": ("'calc.py:' names no function", None),
    "missing.py:f": ("no such file: 'missing.py'", None),
    ".:f": ("a module is named from its top package, without a leading dot: '.'", None),
    ".calc:f": ("a module is named from its top package, without a leading dot: '.calc'", None),
    "missing.module:f": ("no such module: 'missing'", None),
    "calc.py:anser": ("calc.py has no function 'anser'", "did you mean answer?"),
    "calc.py:two": ("calc.py:5: two(a, b) cannot be called with one argument, the request", None),
    "calc.py:none": ("calc.py:7: none() cannot be called with one argument, the request", None),
    "calc.py:LIMIT": ("calc.py: LIMIT is not a function", None),
    "package.bad:f": ("ZeroDivisionError: division by zero (package/bad.py:2: 1 / 0)", None),
    "nul.py:f": ("", None),  # a SyntaxError or a ValueError
    "syntax.py:f": ("syntax.py:2: SyntaxError: ", None),
    "tabs.py:f": ("tabs.py:3: TabError: ", None),
    "fails.py:f": ("ZeroDivisionError: division by zero (fails.py:2: 1 / 0)", None),
    "exits.py:f": ("SystemExit: 3 (exits.py:2: sys.exit(3))", None),
    "odd.py:f": ("Odd: x (odd.py:2: raise Odd('x'))", None),
    "imports.py:f": ("ModuleNotFoundError: No module named 'nowhere' (imports.py:1: import nowhere)", None),
}


@pytest.mark.parametrize("spec", BROKEN)
def test_a_handler_that_cannot_be_used_is_found_before_connecting(runner: Runner, spec: str) -> None:
    for name, code in {
        "calc": "LIMIT = 3\ndef answer(r):\n    return b''\n\ndef two(a, b): pass\n\ndef none(): pass\n\n"
        "async def stream(r):\n    yield 1\n",
        "nul": "x = 1\0\n",
        "syntax": "x = 1\ndef f(r: return\n",
        "tabs": "def f(r):\n    if r:\n\treturn 1\n",
        "fails": "x = 1\n1 / 0\n",
        "exits": "import sys\nsys.exit(3)\n",
        "odd": "class Odd(BaseException): pass\nraise Odd('x')\n",
        "imports": "import nowhere\n",
    }.items():
        (runner.directory / f"{name}.py").write_text(code)
    (runner.directory / "package").mkdir()
    (runner.directory / "package" / "bad.py").write_text("def f(r): pass\n1 / 0\n")
    run = runner("reply", "x", "--handler", spec, server="nats://127.0.0.1:1")
    what, hint = BROKEN[spec]
    assert run.status == 2
    assert run.errors[0].startswith(f"pynats: error: {what}")
    assert run.errors[0].endswith("(--handler)")
    assert spec.partition(":")[0].split(".")[0] in run.errors[0]
    assert hint is None or run.errors[1] == f"  hint: {hint}"
    assert "Traceback" not in run.stderr
