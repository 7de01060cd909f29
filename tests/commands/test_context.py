"""`pynats context ...`, run as a user runs it."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from natscli import load_context
from natscli.cli.root import run as run_here
from natscli.contexts.format import Context, dump, parse
from natscli.environment import Environment
from natscli.settings import Value
from tests.accounts import make_operator
from tests.leftovers import record
from tests.program import Run, Runner
from tests.servers import Server, free_port

SECRET = "s3cr3t-ctx"

_ON_ITS_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "natscli", "context", *sys.argv[1:]])
"""


class Contexts:
    """The context files of one test."""

    def __init__(self, config_home: Path) -> None:
        self.root = config_home / "nats"

    def path(self, name: str) -> Path:
        return self.root / "context" / f"{name}.json"

    def load(self, name: str) -> Context:
        return parse(self.path(name).read_bytes(), name)

    def put(self, name: str, contents: Context | bytes) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(contents if isinstance(contents, bytes) else dump(contents))
        path.chmod(0o600)
        return path

    def select(self, name: str) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "context.txt").write_text(name)

    @property
    def selected(self) -> str:
        path = self.root / "context.txt"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def contexts(config_home: Path) -> Contexts:
    return Contexts(config_home)


@pytest.fixture
def ctx(pynats: Runner) -> Callable[..., Run]:
    """`ctx("ls", ...)` runs `pynats context ls ...`."""
    return lambda *arguments, **how: pynats("context", *arguments, **how)


@pytest.fixture
def ok(ctx: Callable[..., Run]) -> Callable[..., Run]:
    """`ctx` for commands that must succeed."""

    def run(*arguments: str, **how: Any) -> Run:
        done = ctx(*arguments, **how)
        assert done.status == 0, done.stderr
        return done

    return run


@pytest.fixture
def on_terminal(runner: Runner) -> Callable[..., tuple[int, str]]:
    """`on_terminal("rm", "x", keys="y\\n")` runs `pynats context` on a terminal; gives status and what it showed."""

    def run(*arguments: str, keys: str = "", env: dict[str, str] | None = None) -> tuple[int, str]:
        terminal, its_side = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_ITS_TERMINAL, *arguments],
            stdin=its_side, stdout=its_side, stderr=its_side, cwd=runner.directory,
            env=runner.environ | {"COLUMNS": "100"} | (env or {}),
        )  # fmt: skip
        os.close(its_side)
        shown, answered = b"", 0
        waiting = keys.encode()
        deadline = time.monotonic() + 30
        try:
            while time.monotonic() < deadline:
                if select.select([terminal], [], [], 1)[0]:
                    try:
                        data = os.read(terminal, 65536)
                    except OSError as error:
                        if error.errno == errno.EIO:
                            break
                        raise
                    if not data:
                        break
                    shown += data
                if waiting and len(shown) > answered and shown.endswith((b": ", b"] ")):  # it asks
                    line, end, waiting = waiting.partition(b"\n")
                    answered = len(shown)
                    os.write(terminal, line + end)
            else:
                process.kill()
            status = process.wait(30)
        finally:
            os.close(terminal)
        record(shown, arguments)
        return status, shown.decode("utf-8", "replace")

    return run


# -- add --------------------------------------------------------------------------------------------------------


def test_a_new_context_is_written_as_the_go_cli_would(ok: Callable[..., Run], contexts: Contexts) -> None:
    done = ok("add", "local", "--server", "nats://127.0.0.1:14300", "--description", "Localhost")
    sample = Path(__file__).parent.parent / "contexts" / "interop" / "nats" / "context" / "local.json"
    assert contexts.path("local").read_bytes() == sample.read_bytes()
    assert done.stdout == b""
    assert done.errors == [f"saved context 'local' in {contexts.path('local')}"]
    assert contexts.selected == ""


@pytest.mark.parametrize("name", ["add", "create", "save"])
def test_add_has_the_aliases_of_the_go_cli(name: str, pynats: Runner, contexts: Contexts) -> None:
    assert pynats("ctx", name, "x", "-s", "h").status == 0
    assert contexts.load("x") == Context(url="h")


def test_a_new_context_without_a_server_gets_the_default_one(
    ok: Callable[..., Run], contexts: Contexts
) -> None:
    ok("add", "x")
    assert contexts.load("x") == Context(url="nats://127.0.0.1:4222")


def test_every_setting_can_be_given(ok: Callable[..., Run], contexts: Contexts) -> None:
    ok("add", "x", "-s", "tls://a,tls://b", "--description", "d", "--jwt", "env://J", "--seed", "env://S",
       "--tlscert", "/c", "--tlskey", "/k", "--tlsca", "/ca", "--tlsfirst", "--inbox-prefix", "_I.me",
       "--socks-proxy", "socks5://p:1", "--js-domain", "hub", "--js-api-prefix", "js.api", "--js-event-prefix",
       "js.ev", "--colors", "red")  # fmt: skip
    assert contexts.load("x") == Context(
        description="d", url="tls://a,tls://b", user_jwt="env://J", user_seed="env://S", cert="/c", key="/k",
        ca="/ca", tls_first=True, inbox_prefix="_I.me", socks_proxy="socks5://p:1", jetstream_domain="hub",
        jetstream_api_prefix="js.api", jetstream_event_prefix="js.ev", color_scheme="red",
    )  # fmt: skip


def test_only_what_is_given_changes(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("x", b'{"url": "h", "user": "u", "password": "p", "future": {"a": [1]}}')
    ok("add", "x", "--description", "new")
    assert contexts.load("x") == Context(description="new", url="h", user="u", password="p",
                                         extra={"future": {"a": [1]}})  # fmt: skip


def test_an_empty_value_clears_a_setting(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("x", Context(description="d", url="h", token="t"))
    ok("add", "x", "--token", "", "--description", "")
    assert contexts.load("x") == Context(url="h")


def test_a_token_given_to_add_is_kept(ok: Callable[..., Run], contexts: Contexts) -> None:
    ok("add", "tok", "--token", f"{SECRET}-token")
    assert contexts.load("tok").token == f"{SECRET}-token"
    assert SECRET not in ok("info", "tok").text
    assert "********" in ok("info", "tok").text


def test_a_user_without_a_password_becomes_a_token(ok: Callable[..., Run], contexts: Contexts) -> None:
    done = ok("add", "x", "--user", f"{SECRET}-user")
    assert contexts.load("x") == Context(url="nats://127.0.0.1:4222", token=f"{SECRET}-user")
    assert "a user without a password is kept as a token" in done.stderr


def test_a_user_takes_over_the_stored_password(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("x", Context(url="h", user="bob", password="pw"))
    ok("add", "x", "--user", "alice")
    assert contexts.load("x") == Context(url="h", user="alice", password="pw")
    ok("add", "x", "--password", "other")
    assert contexts.load("x").password == "other"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--user", "u", "--password", f"{SECRET}-p", "--creds", "f"), "user and creds"),
        (("--user", f"{SECRET}-u", "--nkey", "f"), "user and nkey"),
        (("--user", f"{SECRET}-u", "--token", f"{SECRET}-t"), "user and token"),
        (("--jwt", f"{SECRET}-j", "--creds", "f"), "creds and jwt"),
    ],
)
def test_credentials_of_two_kinds_are_refused(
    arguments: tuple[str, ...], names: str, ctx: Callable[..., Run], contexts: Contexts
) -> None:
    done = ctx("add", "x", *arguments)
    assert done.status == 2
    assert done.errors[0].startswith(f"pynats: error: credentials of two kinds at once: {names} (--")
    assert not contexts.path("x").exists()


@pytest.mark.parametrize(("option", "owner"), [("--password", "--user"), ("--seed", "--jwt")])
def test_half_of_a_credential_is_refused(option: str, owner: str, ctx: Callable[..., Run]) -> None:
    done = ctx("add", "x", option, f"{SECRET}-half")
    assert (done.status, len(done.errors)) == (2, 1)
    assert f"goes with {owner} ({option})" in done.stderr


def test_credentials_of_another_kind_replace_the_stored_ones(
    ok: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("x", Context(url="h", user="bob", password="pw"))
    done = ok("add", "x", "--token", f"{SECRET}-t2")
    assert contexts.load("x") == Context(url="h", token=f"{SECRET}-t2")
    assert "replaced the stored credentials (user) by those given (token)" in done.errors


@pytest.mark.parametrize("option", ["creds", "nkey", "jwt"])
def test_a_token_goes_along_with_all_but_a_user(
    option: str, ok: Callable[..., Run], contexts: Contexts
) -> None:
    key = "user_jwt" if option == "jwt" else option
    both = Context(url="h", token=f"{SECRET}-t").replace(**{key: "env://X"})
    ok("add", "x", "-s", "h", f"--{option}", "env://X", "--token", f"{SECRET}-t")
    ok("add", "y", "-s", "h", f"--{option}", "env://X")
    done = ok("add", "y", "--token", f"{SECRET}-t")
    ok("add", "z", "-s", "h", "--token", f"{SECRET}-t")
    ok("add", "z", f"--{option}", "env://X")
    assert contexts.load("x") == contexts.load("y") == contexts.load("z") == both
    assert "replaced" not in done.stderr
    ok("add", "x", "--user", "bob", "--password", "pw")
    assert contexts.load("x") == Context(url="h", user="bob", password="pw")


def test_a_user_without_a_password_replaces_like_any_user(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("x", Context(url="h", user="old", creds="f"))
    ok("add", "x", "--user", f"{SECRET}-user")
    assert contexts.load("x") == Context(url="h", token=f"{SECRET}-user")


def test_a_relative_path_is_kept_as_an_absolute_one(
    ok: Callable[..., Run], contexts: Contexts, runner: Runner
) -> None:
    (runner.directory / "my.creds").write_text("x")
    ok("add", "x", "--creds", "my.creds")
    assert contexts.load("x").creds == str(runner.directory / "my.creds")
    ok("add", "x", "--creds", "~/other.creds")
    assert contexts.load("x").creds == "~/other.creds"


def test_embed_takes_the_file_into_the_context(
    ok: Callable[..., Run], contexts: Contexts, runner: Runner
) -> None:
    (runner.directory / "my.creds").write_text(f"{SECRET}-creds")
    ok("add", "x", "--creds", "my.creds", "--embed")
    assert contexts.load("x").creds.startswith("data:;base64,")
    shown = ok("info", "x", "--json").text + ok("ls", "--json").text + ok("info", "x").text
    assert contexts.load("x").creds.partition(",")[2] not in shown


def test_a_socks_proxy_of_none_is_removed(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("x", Context(url="h", socks_proxy="socks5://p:1"))
    ok("add", "x", "--socks-proxy", "none")
    assert contexts.load("x") == Context(url="h")


def test_a_new_context_can_start_from_another(
    ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("src", Context(url="h", user="u", password="p"))
    ok("add", "new", "--context", "src", "--description", "d")
    assert contexts.load("new") == Context(description="d", url="h", user="u", password="p")
    assert "--context applies to new contexts only" in ok("add", "new", "--context", "src").stderr
    done = ctx("add", "other", "--context", "scr")
    assert done.status == 2
    assert "did you mean 'src'?" in done.stderr


def test_connection_options_before_the_command_count_too(pynats: Runner, contexts: Contexts) -> None:
    assert pynats("-s", "first", "--token", "t", "context", "add", "x", "-s", "second").status == 0
    assert contexts.load("x") == Context(url="second", token="t")


def test_what_a_context_cannot_keep_is_said(ok: Callable[..., Run]) -> None:
    assert "--timeout is not saved in contexts" in ok("add", "x", "--timeout", "3s").stderr


def test_what_will_not_work_is_said_when_it_is_saved(ok: Callable[..., Run]) -> None:
    assert (
        "creds: cannot read the file: no such file or directory (/nope)"
        in ok("add", "x", "--creds", "/nope").stderr
    )


def test_add_can_select(ok: Callable[..., Run], contexts: Contexts) -> None:
    done = ok("add", "x", "--select", env={"NATS_CONTEXT": "other"})
    assert contexts.selected == "x"
    assert "selected context 'x'" in done.errors
    assert "NATS_CONTEXT=other in the environment overrides" in done.stderr


@pytest.mark.parametrize("name", ["a/b", "..", ""])
def test_a_bad_name_is_refused(name: str, ctx: Callable[..., Run]) -> None:
    assert ctx("add", name).status == 2


@pytest.mark.parametrize(
    "command",
    ["add", "copy a", "copy", "edit", "info", "rename a", "rename", "rm", "rm -f", "select", "validate"],
)
def test_a_name_with_control_characters_is_refused_everywhere(
    command: str, ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("a", Context())
    name = "a\n\x1b[31m"
    words = [*command.split(), name, *(["b"] if command in ("copy", "rename") else [])]
    done = ctx(*words)
    assert done.status == 2
    error = r"pynats: error: invalid context name 'a\n\x1b[31m': it contains a control character"
    if command == "validate":  # has a table of results
        assert error.partition("error: ")[2] in done.lines[1]
    else:
        assert (done.stdout, done.errors) == (b"", [error])
    assert [path.name for path in (contexts.root / "context").iterdir()] == ["a.json"]


@pytest.mark.parametrize("words", [("--context", "a\n"), ("server", "run", "--context", "a\n")])
def test_options_and_variables_take_no_name_with_control_characters(
    words: tuple[str, ...], pynats: Runner
) -> None:
    words = words if words[0] == "server" else (*words, "request", "x", "y")
    for done in (pynats(*words), pynats("request", "x", "y", env={"NATS_CONTEXT": "a\x1b"})):
        assert done.status == 2
        assert "it contains a control character" in done.errors[0]
        assert len(done.errors) == 1


@pytest.mark.parametrize("option", ["--password", "--token"])
def test_a_secret_is_asked_for_without_echo(
    option: str, on_terminal: Callable[..., tuple[int, str]], contexts: Contexts
) -> None:
    user = ("--user", "bob") if option == "--password" else ()
    status, shown = on_terminal("add", "x", *user, option, "-", keys=f"{SECRET}-typed\n")
    assert status == 0
    assert f"{SECRET}-typed" in (contexts.load("x").password, contexts.load("x").token)
    assert SECRET not in shown


def test_a_secret_cannot_be_asked_for_without_a_terminal(ctx: Callable[..., Run], contexts: Contexts) -> None:
    done = ctx("add", "x", "--user", "bob", "--password", "-", stdin=b"pw\n")
    assert done.status == 2
    assert "cannot ask for the password: there is no terminal to ask on" in done.stderr
    assert not contexts.path("x").exists()


def test_twenty_at_once_lose_nothing(runner: Runner, contexts: Contexts) -> None:
    programs = [runner.spawn("context", "add", f"c{n}", "--token", f"t{n}", "--select") for n in range(20)]
    assert [program.wait() for program in programs] == [0] * 20
    assert {n: contexts.load(f"c{n}").token for n in range(20)} == {n: f"t{n}" for n in range(20)}
    assert contexts.selected in {f"c{n}" for n in range(20)}


@pytest.mark.parametrize("url", ["127.0.0.1:4222x", "?", "http://a", "a,b:c"])
def test_a_server_url_that_can_never_work_is_not_saved(runner: Runner, contexts: Contexts, url: str) -> None:
    added = runner("context", "add", "x", "--server", url)
    assert added.status == 2
    assert "server URL" in added.stderr
    assert not contexts.path("x").exists()


def test_a_server_url_is_kept_as_it_was_written(runner: Runner, contexts: Contexts) -> None:
    for url in ("a", "a,b:4333", "tls://a:1,tls://b"):
        assert runner("context", "add", "x", "--server", url).status == 0
        assert contexts.load("x").url == url


_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: text != "-"
)
_KEYS = {"description": "description", "inbox-prefix": "inbox_prefix", "creds": "creds",
         "js-domain": "jetstream_domain", "js-api-prefix": "jetstream_api_prefix", "tlsca": "ca",
         "js-event-prefix": "jetstream_event_prefix"}  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(sorted(_KEYS)), _texts), min_size=1, max_size=3))
def test_what_is_added_step_by_step_is_what_is_in_the_file(
    tmp_path: Path, steps: list[dict[str, str]]
) -> None:
    expected = {"url": "nats://127.0.0.1:4222"}
    with tempfile.TemporaryDirectory(dir=tmp_path) as home:
        for step in steps:
            environment = Environment(BytesIO(), BytesIO(), BytesIO(), {"XDG_CONFIG_HOME": home})
            command = ["context", "add", "x", *(f"--{option}={value}" for option, value in step.items())]
            assert run_here(command, environment) == 0
            expected |= {_KEYS[option]: value for option, value in step.items()}
        assert Contexts(Path(home)).load("x") == Context(**expected)  # type: ignore[arg-type]


# -- copy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["copy", "cp"])
def test_a_copy_has_everything_and_what_is_given(
    name: str, ok: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("a", b'{"url": "h", "user": "u", "password": "p", "future": 1}')
    ok(name, "a", "b", "--description", "copied", "--select")
    assert contexts.load("b") == Context(
        description="copied", url="h", user="u", password="p", extra={"future": 1}
    )
    assert contexts.selected == "b"


def test_a_copy_never_replaces_a_context(ctx: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("a", Context(url="a"))
    contexts.put("b", Context(url="b"))
    assert "context 'b' exists already" in ctx("cp", "a", "b").stderr
    assert ctx("cp", "nope", "c").status == 2
    assert contexts.load("b").url == "b"


def test_a_context_cannot_take_the_name_that_it_has(ctx: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("a", Context(url="a"))
    told = ["pynats: error: context 'a' has that name already"]
    for words in (["rename", "a", "a"], ["copy", "a", "a"]):
        done = ctx(*words)
        assert (done.status, done.errors) == (2, told)
    done = ctx("copy", "a", "a", "-s", "b")
    assert (done.status, done.errors[0]) == (2, told[0])
    assert "pynats context add a" in done.stderr
    assert "rm" not in done.stderr
    assert contexts.load("a").url == "a"


# -- ls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ls", "list", "l"])
def test_contexts_are_listed_with_the_selected_one_marked(
    name: str, ok: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("long-name", Context(url=f"nats://u:{SECRET}@h:1", description="\x1b[31mred"))
    contexts.put("b", Context(url="tls://x"))
    contexts.select("b")
    assert ok(name).lines == [
        "NAME       DESCRIPTION  SERVER",
        "b*                      tls://x",
        "long-name  \\x1b[31mred  nats://********@h:1",
    ]


def test_names_are_listed_one_a_line(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("b", Context())
    contexts.put("a", Context())
    assert ok("ls", "--names").text == "a\nb\n"


@pytest.mark.parametrize("option", ["-j", "--json"])
def test_the_list_as_json_has_every_setting_and_no_secret(
    option: str, ok: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("a", Context(url="h", user="u", password=f"{SECRET}-p", token="env://T"))
    contexts.select("a")
    (shown,) = json.loads(ok("ls", option).text)
    assert list(shown)[:4] == ["name", "selected", "description", "url"]
    assert (shown["name"], shown["selected"], shown["user"]) == ("a", True, "u")
    assert (shown["password"], shown["token"]) == ("********", "env://T")


def test_an_empty_list(ok: Callable[..., Run]) -> None:
    assert ok("ls").stdout == b""
    assert "no contexts" in ok("ls").stderr
    assert json.loads(ok("ls", "-j").text) == []


def test_a_corrupt_file_does_not_stop_the_list(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("good", Context(url="h"))
    bad = contexts.put("bad", b'{"url": "x",\n oops}')
    contexts.put("half", b'{"url": 5}')
    contexts.path("dangling").symlink_to("nowhere")
    done = ok("ls")
    assert [line.split()[0] for line in done.lines] == ["NAME", "good"]
    assert len(done.errors) == 3
    assert f"{bad}, line 2, column 2" in done.stderr
    assert "half.json, line 1, column 9" in done.stderr
    assert "pynats context edit bad" in done.stderr


def test_a_selected_context_that_is_gone_is_said(
    ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.select("gone")
    assert "the selected context 'gone' does not exist" in ok("ls").stderr
    done = ctx("info")
    assert done.status == 2
    assert "the selected context 'gone' does not exist" in done.errors[0]
    assert done.errors[1] == "  hint: pynats context select another one, or pynats context unselect"
    assert ctx("validate").status == 2
    ok("unselect")
    assert contexts.selected == ""


def test_on_a_terminal_there_is_a_table(
    on_terminal: Callable[..., tuple[int, str]], contexts: Contexts
) -> None:
    contexts.put("a", Context(url="h", description="[bold]d"))
    status, shown = on_terminal("ls")
    assert status == 0
    assert "╭" in shown
    assert "[bold]d" in shown
    assert "\x1b[" in shown
    assert "\x1b[3" not in on_terminal("ls", env={"NO_COLOR": "1"})[1]
    assert "╭" in on_terminal("info", "a")[1]


# -- rm ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rm", "remove"])
def test_a_context_is_removed_with_force(name: str, ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("a", b"{corrupt")
    contexts.select("a")
    ok(name, "-f", "a")
    assert not contexts.path("a").exists()
    assert contexts.selected == ""
    ok(name, "--force", "a")


def test_rm_does_not_take_a_folder_that_cannot_be_searched_for_an_empty_one(
    ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.root.mkdir()
    (contexts.root / "context").symlink_to("context")  # for root too; bits that forbid it are not
    done = ctx("rm", "-f", "good")
    assert (done.status, done.errors) == (
        2,
        [
            f"pynats: error: cannot read the context: too many levels of symbolic links ({contexts.path('good')})"
        ],
    )


def test_rm_does_not_remove_without_being_sure(ctx: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("a", Context())
    done = ctx("rm", "a", stdin=b"y\n")
    assert done.status == 2
    assert "no terminal" in done.stderr
    assert "pynats context rm -f a" in done.stderr
    contexts.select("a")
    assert "context 'a' is selected" in ctx("rm", "a").stderr
    assert "did you mean 'a'" not in ctx("rm", "zzz").stderr
    assert ctx("rm", "zzz").status == 2
    assert contexts.path("a").exists()


@pytest.mark.parametrize(
    ("answer", "stays"), [("y\n", False), ("n\n", True), ("\n", True), ("what\nyes\n", False)]
)
def test_rm_asks_on_a_terminal(
    answer: str, stays: bool, on_terminal: Callable[..., tuple[int, str]], contexts: Contexts
) -> None:
    contexts.put("a", Context())
    status, shown = on_terminal("rm", "a", keys=answer)
    assert status == 0
    assert "Remove context 'a'? [y/N]" in shown
    assert contexts.path("a").exists() == stays


# -- rename -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rename", "mv"])
def test_a_context_is_renamed(
    name: str, ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("a", Context(description="kept"))
    contexts.select("a")
    assert ok(name, "a", "b").errors == ["renamed context 'a' to 'b'"]
    assert contexts.load("b").description == "kept"
    assert contexts.selected == "b"
    again = ctx(name, "a", "c")
    assert (again.status, again.errors[0]) == (2, "pynats: error: unknown context 'a'")


# -- select, unselect, previous ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["select", "switch", "set", "use"])
def test_selecting(name: str, ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("a", Context())
    ok(name, "a")
    assert (contexts.root / "context.txt").read_bytes() == b"a"
    assert ctx(name, "aa").status == 2
    assert contexts.selected == "a"


@pytest.mark.parametrize("name", ["previous", "-"])
def test_going_back_and_forth(
    name: str, ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts
) -> None:
    assert "no previous context" in ctx(name).stderr
    for each in ("a", "b"):
        contexts.put(each, Context())
        ok("select", each)
    ok(name)
    assert contexts.selected == "a"
    ok(name)
    assert contexts.selected == "b"


def test_unselecting(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("a", Context())
    assert "no context is selected" in ok("unselect").stderr
    ok("select", "a")
    assert "unselected context 'a'" in ok("unselect").stderr
    assert not (contexts.root / "context.txt").exists()


@pytest.mark.parametrize("keys", ["2\n", "b\n", "9\nb\n"])
def test_without_a_name_one_is_picked_on_a_terminal(
    keys: str, on_terminal: Callable[..., tuple[int, str]], contexts: Contexts
) -> None:
    contexts.put("a", Context())
    contexts.put("b", Context())
    contexts.select("a")
    status, shown = on_terminal("select", keys=keys)
    assert (status, contexts.selected) == (0, "b")
    assert "1  a *" in shown


def test_without_a_name_and_a_terminal_select_says_how(ctx: Callable[..., Run], contexts: Contexts) -> None:
    assert "pynats context add" in ctx("select").stderr
    contexts.put("a", Context())
    done = ctx("select", stdin=b"a\n")
    assert done.status == 2
    assert "hint: pynats context select NAME" in done.stderr


def test_the_end_of_the_input_interrupts_a_question(
    on_terminal: Callable[..., tuple[int, str]], contexts: Contexts
) -> None:
    contexts.put("a", Context())
    assert on_terminal("select", keys="\x04")[0] == 130


# -- edit -------------------------------------------------------------------------------------------------------


@pytest.fixture
def editor(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """`editor(code)` gives an environment whose EDITOR runs Python `code` with the file in `path` (a Path)."""

    def make(code: str, variable: str = "EDITOR") -> dict[str, str]:
        script = tmp_path / "my editor.py"
        script.write_text(
            f"import sys, os, stat\nfrom pathlib import Path\npath = Path(sys.argv[-1])\n{code}\n"
        )
        return {variable: f'{sys.executable} "{script}" --wait', "TMPDIR": str(tmp_path)}

    return make


Editor = Callable[..., dict[str, str]]


@pytest.mark.parametrize("name", ["edit", "vi"])
def test_what_is_edited_is_saved(
    name: str, ok: Callable[..., Run], contexts: Contexts, editor: Editor
) -> None:
    contexts.put("a", b'{"url": "h", "future": 1}')
    done = ok(
        name, "a", env=editor('path.write_text(path.read_text().replace(\'"user": ""\', \'"user": "u"\'))')
    )
    assert contexts.load("a") == Context(url="h", user="u", extra={"future": 1})
    assert "saved context 'a'" in done.stderr


def test_visual_comes_before_editor(ok: Callable[..., Run], contexts: Contexts, editor: Editor) -> None:
    contexts.put("a", Context())
    ok("edit", "a", env={**editor('path.write_text(\'{"url": "v"}\')', "VISUAL"), "EDITOR": "false"})
    assert contexts.load("a").url == "v"


def test_the_copy_that_is_edited_is_private_and_goes_away(
    ok: Callable[..., Run], contexts: Contexts, editor: Editor, tmp_path: Path
) -> None:
    contexts.put("a", Context(password="p"))
    note = tmp_path / "note"
    code = f"Path({str(note)!r}).write_text(f'{{path}} {{path.stat().st_mode:o}} {{path.parent.stat().st_mode:o}}')"
    assert "unchanged" in ok("edit", "a", env=editor(code)).stderr
    path, mode, folder = note.read_text().split()
    assert (stat.S_IMODE(int(mode, 8)), stat.S_IMODE(int(folder, 8))) == (0o600, 0o700)
    assert not Path(path).parent.exists()


def test_a_corrupt_file_can_be_repaired(ok: Callable[..., Run], contexts: Contexts, editor: Editor) -> None:
    contexts.put("a", b'{"url": "h" "user": "u"}')
    ok("edit", "a", env=editor("path.write_bytes(path.read_bytes().replace(b'\" \"', b'\", \"'))"))
    assert contexts.load("a") == Context(url="h", user="u")


def test_a_bad_edit_without_a_terminal_is_kept_and_not_saved(
    ctx: Callable[..., Run], contexts: Contexts, editor: Editor
) -> None:
    contexts.put("a", Context(url="h"))
    done = ctx("edit", "a", env=editor("path.write_text('{\\n \"url\": oops}')"))
    assert done.status == 2
    assert "line 2, column 9" in done.errors[1]
    kept = Path(done.errors[0].rpartition(" is ")[2])
    assert kept.read_text() == '{\n "url": oops}'
    assert contexts.load("a") == Context(url="h")


def test_a_bad_edit_on_a_terminal_is_edited_again(
    on_terminal: Callable[..., tuple[int, str]], contexts: Contexts, editor: Editor
) -> None:
    contexts.put("a", Context(url="h"))
    code = "path.write_text('{\"url\": \"again\"}' if path.read_text() == 'bad' else 'bad')"
    status, shown = on_terminal("edit", "a", keys="\n", env=editor(code))
    assert status == 0
    assert "Edit it again? [Y/n]" in shown
    assert contexts.load("a").url == "again"


@pytest.mark.parametrize(("keys", "status"), [("n\n", 2), ("\x04", 130), ("\x03", 130)])
def test_a_bad_edit_is_kept_however_the_question_ends(
    on_terminal: Callable[..., tuple[int, str]],
    contexts: Contexts,
    editor: Editor,
    tmp_path: Path,
    keys: str,
    status: int,
) -> None:
    contexts.put("a", Context(url="h"))
    ended = on_terminal("edit", "a", keys=keys, env=editor("path.write_text('bad')"))[0]
    assert ended in (status, -signal.SIGINT if status == 130 else status)
    (kept,) = tmp_path.glob("pynats-edit-*/a.json")
    assert kept.read_text() == "bad"


def test_two_kinds_of_credentials_are_not_saved(
    ctx: Callable[..., Run], contexts: Contexts, editor: Editor
) -> None:
    contexts.put("a", Context(url="h"))
    done = ctx("edit", "a", env=editor('path.write_text(\'{"user": "u", "creds": "c"}\')'))
    assert done.status == 2
    assert "two kinds at once: user and creds" in done.stderr


def test_a_change_meanwhile_is_not_overwritten(
    ctx: Callable[..., Run], contexts: Contexts, editor: Editor
) -> None:
    path = contexts.put("a", Context(url="h"))
    code = f'path.write_text(\'{{"url": "mine"}}\'); Path({str(path)!r}).write_text(\'{{"url": "theirs"}}\')'
    done = ctx("edit", "a", env=editor(code))
    assert done.status == 2
    assert "changed by another program" in done.stderr
    assert contexts.load("a").url == "theirs"


@pytest.mark.parametrize(
    ("value", "what", "status"),
    [
        ("false", "exited with status 1", 1),
        ("/no/editor", "cannot run the editor", 2),
        ('"', "cannot read", 2),
    ],
)
def test_an_editor_that_fails(
    value: str, what: str, status: int, ctx: Callable[..., Run], contexts: Contexts, tmp_path: Path
) -> None:
    contexts.put("a", Context(url="h"))
    done = ctx("edit", "a", env={"EDITOR": value, "VISUAL": "", "TMPDIR": str(tmp_path)})
    assert done.status == status
    assert what in done.stderr
    assert not list(tmp_path.glob("pynats-edit-*"))
    assert ctx("edit", "nope", env={"EDITOR": "true"}).status == 2


# -- info -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["info", "show", "view", "v"])
def test_info_explains_where_values_come_from(
    name: str, ok: Callable[..., Run], contexts: Contexts, runner: Runner
) -> None:
    creds = runner.directory / "a.creds"
    creds.write_text(make_operator("A").accounts["A"].make_user().creds)
    creds.chmod(0o600)
    contexts.put("a", Context(description="d", creds=str(creds), tls_first=True, extra={"future": 1}))
    contexts.select("a")
    lines = ok(name).lines
    assert lines[:2] == ["Context 'a' (selected)", ""]
    rows = {line.partition("  ")[0]: " ".join(line.partition("  ")[2].split()) for line in lines[2:]}
    assert rows == {
        "Description": "d context",
        "Server URLs": "nats://127.0.0.1:4222 default",
        "Credentials": f"{creds} context, file, OK",
        "TLS first": "yes context",
        "future": "1 context, unknown to pynats",
        "Path": str(contexts.path("a")),
    }


def test_info_says_what_a_reference_is_and_whether_it_works(
    ok: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put(
        "a", Context(user="u", password="env://PW", cert="/no/cert", key="$NOPE/key", nkey="op://v/i/f")
    )
    done = ok("info", "a", env={"PW": f"{SECRET}-pw", "PATH": "/nonexistent"})
    rows = {line.partition("  ")[0]: line for line in done.lines}
    assert rows["Password"].endswith("context, variable PW, OK")
    assert "cannot read the file: no such file or directory (/no/cert)" in rows["Certificate"]
    assert "variable $NOPE is not set" in rows["Key"]
    assert "1Password, 'op' is not on PATH" in rows["NKey"]
    assert "two kinds at once: user and nkey" in done.stderr


def test_info_as_json_shows_secrets_only_when_asked_to(
    ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("a", Context(url=f"nats://u:{SECRET}@h", user="u", password=f"{SECRET}-p"))
    shown = json.loads(ok("info", "a", "-j").text)
    assert (shown["name"], shown["password"], shown["url"]) == ("a", "********", "nats://********@h")
    shown = json.loads(ok("info", "a", "--json", "--show-secrets", shows_secrets=True).text)
    assert (shown["password"], shown["url"]) == (f"{SECRET}-p", f"nats://u:{SECRET}@h")
    assert ctx("info", "a", "--show-secrets").status == 2


def test_info_warns_about_files_others_can_read(
    ok: Callable[..., Run], contexts: Contexts, runner: Runner
) -> None:
    creds = runner.directory / "a.creds"
    creds.write_text("x")
    creds.chmod(0o644)
    path = contexts.put("a", Context(creds=f"file://{creds}"))
    path.chmod(0o640)
    done = ok("info", "a")
    assert f"others than you can read or write {path}: chmod 600 {path}" in done.stderr
    assert f"chmod 600 {creds}" in done.stderr
    path.chmod(0o600)
    creds.chmod(0o600)
    assert ok("info", "a").stderr == ""


def test_info_warns_about_variables_that_override(ok: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("a", Context(url="h"))
    done = ok("info", "a", env={"NATS_URL": "nats://other", "NATS_PASSWORD": f"{SECRET}-env"})
    assert "the environment overrides the context: NATS_URL, NATS_PASSWORD" in done.stderr
    assert "overridden by NATS_URL" in done.text


def test_info_takes_the_context_that_would_be_used(
    ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts
) -> None:
    for name in ("a", "b", "c"):
        contexts.put(name, Context())
    done = ctx("info")
    assert (done.status, done.errors[1]) == (2, "  hint: pynats context select NAME")
    contexts.select("a")
    assert "'a' (selected)" in ok("info").text
    assert "'b'" in ok("info", env={"NATS_CONTEXT": "b"}).text
    assert "'c'" in ok("info", "--context", "c", env={"NATS_CONTEXT": "b"}).text


# -- connecting -------------------------------------------------------------------------------------------------


def test_info_connects_and_shows_the_server(
    ok: Callable[..., Run], contexts: Contexts, nats_server: Server
) -> None:
    contexts.put("a", Context(url=nats_server.url))
    rows = {line.partition("  ")[0]: line for line in ok("info", "a", "--connect").lines}
    assert f"OK, {nats_server.url}" in rows["Connection"]
    assert "2." in rows["Server"]
    assert rows["RTT"].split()[1].endswith("s")
    assert rows["TLS"].split()[1] == "no"
    assert rows["Account"].split()[1] == "$G"
    told = json.loads(ok("info", "a", "--connect", "--json").text)["connection"]
    assert (told["ok"], told["account"], told["url"]) == (True, "$G", nats_server.url)
    assert told["rtt_ns"] > 0


def test_info_that_cannot_connect_says_so_and_exits_like_it(
    ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("a", Context(url=f"nats://127.0.0.1:{free_port()}"))
    done = ctx("info", "a", "--connect")
    assert done.status == 5
    assert "nothing listens there" in done.text
    assert "nothing listens there" in done.stderr
    told = json.loads(ctx("info", "a", "--connect", "-j").text)["connection"]
    assert (told["ok"], told["status"]) == (False, 5)


def test_validate_checks_files_without_connecting(
    ok: Callable[..., Run], ctx: Callable[..., Run], contexts: Contexts
) -> None:
    contexts.put("good", Context(url="nats://127.0.0.1:1"))
    assert ok("validate").lines == ["CONTEXT  RESULT", "good     OK"]
    contexts.put("bad", b"{")
    contexts.put("creds", Context(creds="/nope"))
    contexts.put("two", Context(user="u", password="pass-word", nkey="/nope"))
    contexts.put("url", Context(url="http://h"))
    done = ctx("validate")
    assert done.status == 2
    rows = {line.split()[0]: line for line in done.lines[1:]}
    assert set(rows) == {"good", "bad", "creds", "two", "url"}
    assert "line 1, column 2" in rows["bad"]
    assert "creds: cannot read the file" in rows["creds"]
    assert "two kinds at once: user and nkey" in rows["two"]
    assert "unknown scheme 'http'" in rows["url"]
    assert done.errors == ["pynats: error: 4 of 5 contexts cannot be used"]
    assert ok("validate", "good").status == 0
    assert ctx("validate", "nope").status == 2


def test_validate_tries_every_context_on_its_own_server(
    ctx: Callable[..., Run], contexts: Contexts, server_factory: Callable[..., Server]
) -> None:
    server = server_factory('server_name: here\nauthorization { user: u, password: "right" }')
    contexts.put("right", Context(url=server.url, user="u", password="right"))
    contexts.put("wrong", Context(url=server.url, user="u", password=f"{SECRET}-wrong"))
    contexts.put("down", Context(url=f"nats://127.0.0.1:{free_port()}"))
    contexts.put("reference", Context(url=server.url, user="u", password="env://PW"))
    # A variable for all of them would make this a test of one server: it does not count here.
    done = ctx("validate", "--connect", env={"NATS_URL": "nats://127.0.0.1:1", "PW": "right"})
    rows = {line.split()[0]: line for line in done.lines[1:]}
    for name in ("right", "reference"):
        assert f"{server.url}  here 2." in rows[name]
        assert rows[name].endswith("OK")
        assert "$G" in rows[name]
    assert "the server refused the credentials" in rows["wrong"]
    assert "nothing listens there" in rows["down"]
    assert done.status == 5  # of the first, "down"
    assert "2 of 4 contexts cannot be used" in done.stderr


def test_validate_tries_them_in_parallel_and_within_the_timeout(
    ctx: Callable[..., Run], contexts: Contexts, server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    os.kill(server.pid, signal.SIGSTOP)  # it accepts, and never answers
    try:
        for number in range(8):
            contexts.put(f"c{number}", Context(url=server.url))
        done = ctx("validate", "--connect", "--timeout", "1s")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert done.status == 5
    assert done.seconds < 7
    assert done.text.count("no answer from the server within 1s") == 8


def test_the_help_in_the_table_is_that_of_the_commands() -> None:
    import click

    from natscli.commands.context import ALIASES, COMMANDS, context

    ctx = click.Context(context)
    assert isinstance(context, click.Group)
    for name, (_, text) in COMMANDS.items():
        command = context.get_command(ctx, name)
        assert command is not None
        assert (command.name, command.get_short_help_str(100)) == (name, text)
    assert set(ALIASES.values()) <= set(COMMANDS)


# -- odd files, odd folders --------------------------------------------------------------------------------------

ODD = {
    "nested": b'{"future": ' + b"[" * 600 + b"]" * 600 + b"}",
    "nested-objects": b'{"future": ' + b'{"a":' * 600 + b"1" + b"}" * 601,
    "nested-key": b'{"url": ' + b"[" * 600 + b"]" * 600 + b"}",
    "infinite": b'{"future": 1e999}',
    "huge": b'{"future": ' + b"9" * 5000 + b"}",
    "nul": b'{"creds": "~\\u0000x"}',
    "nul-ca": b'{"ca": "~\\u0000/x", "nkey": "file://~\\u0000"}',
    "lone": b'{"\\ud800": "\\udfff", "description": "\\ud800"}',
}


def test_an_odd_context_breaks_no_list(ctx: Callable[..., Run], contexts: Contexts) -> None:
    contexts.put("good", Context(url="nats://127.0.0.1:1"))
    for name, contents in ODD.items():
        contexts.put(name, contents)
    for how in ((), ("--json",), ("--names",)):
        listed = ctx("ls", *how)
        assert listed.status == 0, listed.stderr
        assert "good" in listed.text
        assert "Traceback" not in listed.stderr
    checked = ctx("validate")
    rows = {line.split()[0]: line for line in checked.lines[1:]}
    assert set(rows) == {"good", *ODD}
    assert rows["good"].endswith("OK")
    for name in ("nested", "nested-objects", "infinite", "huge"):
        assert "a number or the nesting is out of bounds" in rows[name]
    assert "creds: not a path: it has a NUL character (~\\x00x)" in rows["nul"]
    for name in ODD:
        shown = ctx("info", name, "--json")
        assert shown.status in (0, 2)
        assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("how", ["--context", "NATS_CONTEXT", "relative", "API"])
def test_a_context_can_be_named_by_its_path(
    how: str, pynats: Runner, nats_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_bytes(dump(Context(url=nats_server.url)))
    path = str(tmp_path / "x.json")
    options, env = {
        "--context": (["--context", path], {}),
        "NATS_CONTEXT": ([], {"NATS_CONTEXT": path}),
        "relative": (["--context", "x.json"], {}),
        "API": ([], {}),
    }[how]
    if how == "API":
        assert load_context(path).server == Value(nats_server.url, f"context {path!r}")
        return
    run = pynats("request", "nobody", "x", *options, env=env, cwd=tmp_path)
    assert run.status == 3, run.stderr
    assert pynats("context", "info", *options, env=env, cwd=tmp_path).status == 0
    assert f"Path         {path}" in pynats("context", "info", path).text


def test_a_path_that_is_no_context_is_one_line(pynats: Runner, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    for name, what in (("no.json", "no such context file"), ("bad.json", "invalid JSON")):
        run = pynats("request", "x", "y", "--context", str(tmp_path / name))
        assert (run.status, len(run.errors)) == (2, 1)
        assert what in run.errors[0]
        assert str(tmp_path / name) in run.errors[0]


def test_a_byte_order_mark_is_said_and_removed(
    pynats: Runner, contexts: Contexts, nats_server: Server, tmp_path: Path
) -> None:
    path = contexts.put("a", b"\xef\xbb\xbf" + dump(Context(url=nats_server.url)))
    contexts.select("a")
    run = pynats("request", "nobody", "x")
    assert run.status == 3
    said = f"pynats: the nats CLI ignores {path}: it began with a byte order mark, now removed"
    assert said in run.errors
    assert path.read_bytes() == dump(Context(url=nats_server.url))
    assert said not in pynats("request", "nobody", "x").stderr
    outside = tmp_path / "b.json"
    outside.write_bytes(b"\xef\xbb\xbf" + dump(Context()))
    assert "now removed" in pynats("context", "info", str(outside)).stderr
    assert outside.read_bytes() == dump(Context())


_NOT_ALMIGHTY = """
import ctypes, os, sys
for capability in 1, 2:  # root may read everything, unless these are dropped
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "natscli", *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what root may do is dropped as on Linux")
@pytest.mark.parametrize("what", ["the selection", "the context", "the folder"])
def test_a_selected_context_that_cannot_be_read_is_an_error(
    what: str, runner: Runner, contexts: Contexts, nats_server: Server
) -> None:
    path = contexts.put("a", Context(url=nats_server.url))
    contexts.select("a")
    files = {"the selection": contexts.root / "context.txt", "the context": path, "the folder": contexts.root}
    files[what].chmod(0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _NOT_ALMIGHTY, "request", "nobody", "x"], env=runner.environ, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    finally:
        contexts.root.chmod(0o755)
    assert done.returncode == 2, done.stderr
    first = done.stderr.splitlines()[0]
    assert "permission denied" in first
    assert str(contexts.root) in first


@pytest.mark.skipif(os.name == "nt", reason="links and /dev/null are those of POSIX")
def test_a_selection_that_leads_nowhere_is_no_missing_one(
    runner: Runner, contexts: Contexts, nats_server: Server, tmp_path: Path
) -> None:
    def status(folder: Path | str) -> tuple[int, str]:
        env = {"XDG_CONFIG_HOME": str(folder), "NATS_URL": nats_server.url}
        run = runner("request", "nobody", "x", env=env)
        return run.status, run.errors[-2] if run.status == 2 else ""

    contexts.select("a")
    selection = contexts.root / "context.txt"
    selection.unlink()
    assert status(contexts.root.parent) == (3, "")
    selection.symlink_to(tmp_path / "away" / "context.txt")
    what = "pynats: error: cannot read which context is selected"
    assert status(contexts.root.parent) == (2, f"{what}: a broken symbolic link ({selection})")
    contexts.put("b", Context())
    for changing in (("rm", "b", "--force"), ("add", "c", "-s", "c.example", "--select")):
        assert runner("context", *changing).status == 2
    assert sorted(path.name for path in (contexts.root / "context").iterdir()) == ["b.json"]
    assert runner("context", "unselect").status == 0
    assert status(contexts.root.parent) == (3, "")
    selection.symlink_to(tmp_path / "away" / "context.txt")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "nats").symlink_to(tmp_path / "away")
    assert status(tmp_path / "other")[0] == 2
    (tmp_path / "file").touch()
    found = status(tmp_path / "file")
    assert found == (2, f"{what}: not a directory ({tmp_path / 'file' / 'nats' / 'context.txt'})")
    assert status(os.devnull) == (3, "")


@pytest.mark.skipif(os.name == "nt", reason="links and permissions are those of POSIX")
@pytest.mark.parametrize("how", ["loop", "file", "permission"])
def test_a_folder_of_contexts_that_cannot_be_read_is_bad_input(
    runner: Runner, contexts: Contexts, nats_server: Server, how: str, tmp_path: Path
) -> None:
    contexts.put("a", Context())
    contexts.select("a")
    folder = contexts.root / "context"
    if how == "permission":
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        folder.chmod(0)
    else:
        shutil.rmtree(folder)
        folder.symlink_to(folder) if how == "loop" else folder.touch()
    reason = {"loop": os.strerror(errno.ELOOP), "file": "not a directory", "permission": "permission denied"}[
        how
    ]
    commands = ["context select a"] if how == "permission" else []  # which makes the folder first
    for command in (*commands, "request nobody x", "reply a b", "rtt", "watch a", "server check connection",
                    "context ls", "context validate", "context info a", "context rm a --force",
                    "rtt --all", "request nobody x --context a", "context add a -s a.example"):  # fmt: skip
        run = runner(*command.split(), server=None)
        assert run.status == 2, (command, run.stderr)
        assert re.match(
            rf"pynats: error: cannot read (the context|contexts): {reason.lower()} \(", run.stderr.lower()
        )
        assert str(folder) in run.errors[0]
    assert runner("request", "nobody", "x", "--no-context", server=nats_server).status == 3
    folder.chmod(0o700) if how == "permission" else folder.unlink()


@pytest.mark.skipif(os.name == "nt", reason="the home folder of Windows is that of the account")
def test_an_empty_home_is_none_at_all() -> None:
    import pwd

    account = pwd.getpwuid(os.getuid()).pw_dir
    for environ in ({}, {"HOME": ""}):
        made = Environment(BytesIO(), BytesIO(), BytesIO(), environ)
        assert made.config_dir == f"{account}/.config/nats"


def test_contexts_without_a_folder_are_one_line(pynats: Runner, nats_server: Server) -> None:
    relative = {"XDG_CONFIG_HOME": "conf"}
    for command in (("request", "x", "y"), ("context", "ls"), ("context", "add", "a"), ("rtt",)):
        run = pynats(*command, env=relative, server=nats_server)
        assert (run.status, run.errors) == (
            2,
            [
                f"pynats: error: contexts have no folder ({os.path.join('conf', 'nats')})",
                "  hint: set XDG_CONFIG_HOME to an absolute path",
            ],
        )
    assert pynats("request", "nobody", "x", "--no-context", env=relative, server=nats_server).status == 3
