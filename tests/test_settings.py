"""Where settings come from, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from natscli.contexts.format import Context
from natscli.contexts.store import ContextStore
from natscli.contexts.urls import complete_url
from natscli.errors import InputError
from natscli.settings import Settings, Value, merge, resolve


def merged(
    flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None, context: Context | None = None
) -> Settings:
    return merge(flags or {}, environ or {}, context, Value("ngs", "selected"))


@pytest.mark.parametrize(
    ("flags", "environ", "context", "expected"),
    [
        ({}, {}, None, Value("nats://127.0.0.1:4222", "default")),
        ({}, {}, Context(url="nats://ctx"), Value("nats://ctx", "context 'ngs'")),
        ({}, {"NATS_URL": "nats://env"}, Context(url="nats://ctx"), Value("nats://env", "NATS_URL")),
        (
            {"server": "nats://f"},
            {"NATS_URL": "nats://env"},
            Context(url="nats://ctx"),
            Value("nats://f", "--server"),
        ),
        ({}, {"NATS_URL": ""}, Context(url=""), Value("nats://127.0.0.1:4222", "default")),
    ],
)
def test_flags_come_before_variables_before_the_context_before_the_default(
    flags: dict[str, Any], environ: dict[str, str], context: Context | None, expected: Value[str]
) -> None:
    assert merged(flags, environ, context).server == expected


def test_a_user_without_a_password_is_a_token() -> None:
    settings = merged({"user": "s3cr3t-tok"})
    assert (settings.user.value, settings.token) == ("", Value("s3cr3t-tok", "--user"))


def test_a_user_of_the_context_gets_the_password_of_the_environment() -> None:
    settings = merged({}, {"NATS_PASSWORD": "s3cr3t-x"}, Context(user="bob"))
    assert (settings.user.value, settings.password.value) == ("bob", "s3cr3t-x")


def test_a_kind_of_credentials_in_a_higher_layer_replaces_the_one_below() -> None:
    context = Context(user="bob", password="s3cr3t-p", token="")
    settings = merged({"creds": "/x.creds"}, {}, context)
    assert (settings.creds.value, settings.user.value, settings.password.value) == ("/x.creds", "", "")
    settings = merged({"token": "s3cr3t-t"}, {}, Context(nkey="/seed"))
    assert (settings.token.value, settings.nkey.value) == ("s3cr3t-t", "")


def test_a_token_goes_along_with_creds_for_an_auth_callout() -> None:
    settings = merged({"token": "s3cr3t-t", "creds": "/x.creds"})
    assert (settings.token.value, settings.creds.value) == ("s3cr3t-t", "/x.creds")


@pytest.mark.parametrize(
    ("flags", "environ", "context", "both"),
    [
        ({"user": "a", "password": "b", "creds": "c"}, {}, None, ("user", "creds")),
        ({"user": "a", "password": "b", "token": "c"}, {}, None, ("user", "token")),
        ({}, {"NATS_NKEY": "a", "NATS_JWT": "b"}, None, ("nkey", "jwt")),
        ({}, {}, Context(creds="a", nkey="b"), ("creds", "nkey")),
        ({}, {}, Context(user="a", password="p", token="b"), ("user", "token")),
    ],
)
def test_two_kinds_of_credentials_in_one_layer_are_refused_with_both_names(
    flags: dict[str, Any], environ: dict[str, str], context: Context | None, both: tuple[str, str]
) -> None:
    with pytest.raises(InputError) as caught:
        merged(flags, environ, context)
    assert all(name in caught.value.what for name in both)


@pytest.mark.parametrize("flags", [{"password": "s3cr3t-p"}, {"seed": "s3cr3t-s"}])
def test_half_a_credential_is_refused(flags: dict[str, str]) -> None:
    with pytest.raises(InputError, match="without"):
        merged(flags)


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("localhost", "nats://localhost:4222"),
        ("localhost:", "nats://localhost:4222"),
        (" demo.nats.io:4443 ", "nats://demo.nats.io:4443"),
        (":4333", "nats://127.0.0.1:4333"),
        ("tls://a", "tls://a:4222"),
        ("nats://user:pw@a", "nats://user:pw@a:4222"),
        ("[::1]", "nats://[::1]:4222"),
        ("::1", "nats://[::1]:4222"),
        ("::", "nats://[::]:4222"),
        ("nats://u:pw@::1", "nats://u:pw@[::1]:4222"),
        ("fe80::1%eth0", "nats://[fe80::1%eth0]:4222"),
        ("fe80::1%eth0:4333", "nats://[fe80::1%eth0]:4333"),
        ("nats://u:pw@fe80::1%25eth0:4333", "nats://u:pw@[fe80::1%eth0]:4333"),
        ("nats://[fe80::1%25eth0]:4333", "nats://[fe80::1%eth0]:4333"),
        ("[fe80::1%eth0]", "nats://[fe80::1%eth0]:4222"),
        ("a.example.com.", "nats://a.example.com.:4222"),
        ("my_server", "nats://my_server:4222"),
        ("bücher.example", "nats://bücher.example:4222"),
        ("ws://a/x", "ws://a/x"),
        ("wss://a:8443", "wss://a:8443"),
    ],
)
def test_a_bare_host_or_port_becomes_a_full_url(given: str, full: str) -> None:
    assert complete_url(given) == full


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nats//host", "the server URL has no '://' after 'nats'"),
        ("nats:/host:4222", "the server URL has no '://' after 'nats'"),
        ("TLS;//host", "the server URL has no '://' after 'tls'"),
        ("a..b", "'a..b' in the server URL cannot be a host: a name has something between its dots"),
        (".a", "a name has something between its dots"),
        ("x" * 64 + ".com", "a name has 253 characters at most, 63 between dots"),
        (".".join(["x" * 60] * 5), "a name has 253 characters at most, 63 between dots"),
        ("<host>", "no name has '<'"),
        ("bü..ch", "it is no international name"),
        ("host:0", "bad port in the server URL: a number from 1 to 65535"),
        ("a:b:c", "bad port in the server URL: a number from 1 to 65535"),
        ("[::1]4333", "bad host in the server URL: brackets are for IPv6 addresses"),
        ("nats://u:pw@[::1]4333", "bad host in the server URL"),
        ("[::1", "bad host in the server URL: brackets are for IPv6 addresses"),
        ("nats://a b", "a blank in the server URL"),
    ],
)
def test_a_url_that_can_never_work_is_refused_in_plain_words(url: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        complete_url(url)
    assert reason in caught.value.what


@pytest.mark.parametrize(
    "text",
    [
        "nats://u:p,w@a:1,nats://u:p,w@b:2",
        "nats://u:p,w@a:1, nats://u:p,w@b:2",
        "nats://u:p,w@a:1,\n\tnats://u:p,w@b:2\n",
    ],
)
def test_urls_with_logins_are_separated_with_and_without_blanks(text: str) -> None:
    settings = Settings(server=Value(text, "--server"))
    assert settings.servers == ["nats://u:p,w@a:1", "nats://u:p,w@b:2"]
    assert "p,w" in settings.secrets


def test_logins_without_a_scheme_are_separated_by_blanks() -> None:
    assert Settings(server=Value("u:pw@a:1, u:pw@b:2,\n c:3, ")).servers == [
        "nats://u:pw@a:1", "nats://u:pw@b:2", "nats://c:3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "url", ["http://a", "nats://", "a:x", "a:99999", "nats://a b", "://x", "nats://s3cr3t<t/x@host"]
)
def test_a_bad_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="server URL") as caught:
        complete_url(url, "--server")
    assert caught.value.where == "--server"


@pytest.mark.parametrize("odd", "/?#")
@pytest.mark.parametrize(
    "url", ["nats://bob:4711{}x@a:1", "bob:4711{}x@a", "ws://bob:4711{}x@a", "wss://a/{}x@y", "b{}ob:1@a,c"]
)
def test_an_unescaped_login_is_refused_with_the_escapes_and_not_repeated(url: str, odd: str) -> None:
    with pytest.raises(InputError) as caught:
        complete_url(url.format(odd), "--server")
    assert re.fullmatch("an unescaped '[/?#]' in the login of the server URL", caught.value.what)
    assert "%2F" in caught.value.hint


def test_several_servers_are_separated_by_commas() -> None:
    assert merged({"server": "a, b:1,,tls://c"}).servers == ["nats://a:4222", "nats://b:1", "tls://c:4222"]


@pytest.mark.parametrize(("text", "seconds"), [("300ms", 0.3), ("2", 2.0), ("1m30s", 90.0)])
def test_a_timeout_in_the_environment_is_a_duration(text: str, seconds: float) -> None:
    timeout = merged({}, {"NATS_TIMEOUT": text}).timeout
    assert timeout.value == pytest.approx(seconds)
    assert timeout.source == "NATS_TIMEOUT"


@pytest.mark.parametrize("text", ["soon", "0", "-1s"])
def test_a_bad_timeout_in_the_environment_is_named(text: str) -> None:
    with pytest.raises(InputError) as caught:
        merged({}, {"NATS_TIMEOUT": text})
    assert caught.value.where == "NATS_TIMEOUT"


def test_the_context_is_chosen_by_flag_then_variable_then_selection(tmp_path: Path) -> None:
    store = ContextStore(str(tmp_path))
    for name in ("a", "b", "c"):
        store.save(name, Context(url=f"nats://{name}"))
    store.select("c")
    assert resolve({"context": "a"}, {"NATS_CONTEXT": "b"}, store).servers == ["nats://a:4222"]
    assert resolve({}, {"NATS_CONTEXT": "b"}, store).servers == ["nats://b:4222"]
    assert resolve({}, {}, store).servers == ["nats://c:4222"]
    assert resolve({"no_context": True}, {"NATS_CONTEXT": "b"}, store).servers == ["nats://127.0.0.1:4222"]
    assert resolve({"context": "a"}, {}, store, context="b").context.value == "b"


def test_a_selected_context_that_is_gone_is_said_with_the_fix(tmp_path: Path) -> None:
    store = ContextStore(str(tmp_path))
    store.save("a", Context())
    store.select("a")
    Path(store.path("a")).unlink()
    with pytest.raises(InputError) as caught:
        resolve({}, {}, store)
    assert "does not exist" in f"{caught.value.what}"
    assert "pynats context" in caught.value.hint


def test_settings_do_not_show_secrets_when_printed() -> None:
    assert "s3cr3t" not in repr(merged({"token": "s3cr3t-t"}))
