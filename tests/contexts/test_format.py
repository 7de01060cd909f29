"""The file format: what the Go CLI wrote is read and written back byte for byte; errors say where."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natscli.contexts.credentials import scheme_of
from natscli.contexts.format import (
    KEYS,
    SECRET_KEYS,
    Context,
    credential_kinds,
    dump,
    parse,
    redact_urls,
    redacted,
    secrets,
    split_urls,
    url_secrets,
)
from natscli.errors import InputError
from natscli.secrets.redaction import MASK, Redactor

SAMPLES = sorted((Path(__file__).parent / "interop" / "nats" / "context").glob("*.json"))

# Lone surrogates cannot be written as UTF-8; the Go CLI replaces them, and so do we.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
unknown_keys = texts.filter(lambda name: name.casefold() not in KEYS)


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    known: dict[str, Any] = {key: draw(texts) for key in KEYS}
    known["tls_first"] = draw(st.booleans())
    known["windows_ca_certs_match"] = draw(st.none() | st.lists(texts, max_size=3).map(tuple))
    return Context(**known, extra=draw(st.dictionaries(unknown_keys, values, max_size=3)))


@settings(deadline=None)
@given(contexts())
def test_what_is_written_is_read_back_the_same(context: Context) -> None:
    assert parse(dump(context), "x") == context


@settings(deadline=None)
@given(contexts())
def test_what_is_written_is_json_with_every_key_in_order(context: Context) -> None:
    document = json.loads(dump(context))
    assert list(document) == [*KEYS, *context.extra]
    assert document["description"] == context.description


@settings(deadline=None)
@given(contexts())
def test_redacting_leaves_no_literal_secret(context: Context) -> None:
    shown = redacted(context)
    for key in SECRET_KEYS:
        value = getattr(context, key)
        if value and scheme_of(value) in ("", "data"):
            assert getattr(shown, key) in ("********", "data:;base64,********")
        else:
            assert getattr(shown, key) == value


@settings(deadline=None)
@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_context_or_a_clear_error(data: bytes) -> None:
    with suppress(InputError):  # any other exception fails the test
        context = parse(data, "some.json")
        assert parse(dump(context), "x") == context


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_files_of_the_go_cli_are_written_back_byte_for_byte(path: Path) -> None:
    assert dump(parse(path.read_bytes(), str(path))) == path.read_bytes()


def test_there_are_samples() -> None:
    assert {path.stem for path in SAMPLES} == {"local", "secure"}


def test_the_fields_are_the_keys_of_the_go_cli() -> None:
    assert list(json.loads(SAMPLES[0].read_bytes())) == list(KEYS)
    assert [*Context.field_names()] == [*KEYS, "extra"]


def test_characters_are_escaped_as_go_does() -> None:
    text = '<a> & "b" \\ / \b\f\n\r\t\x01\x7f\u2028\u2029 é 🎉'
    expected = (
        '"description": "\\u003ca\\u003e \\u0026 \\"b\\" \\\\ / '
        '\\b\\f\\n\\r\\t\\u0001\x7f\\u2028\\u2029 é 🎉"'
    )
    assert expected.encode() in dump(Context(description=text))


def test_missing_and_null_keys_are_unset() -> None:
    assert parse(b'{"url": "demo.nats.io", "user": null, "tls_first": null}', "x") == Context(
        url="demo.nats.io"
    )
    assert parse(b"null", "x") == Context()
    assert parse(b"{}", "x") == Context()


def test_keys_match_in_any_case() -> None:
    context = parse(b'{"URL": "a", "Tls_First": true}', "x")
    assert (context.url, context.tls_first, context.extra) == ("a", True, {})


def test_a_list_of_matches_is_kept() -> None:
    assert parse(b'{"windows_ca_certs_match": ["a", null]}', "x").windows_ca_certs_match == ("a", "")
    assert parse(b'{"windows_ca_certs_match": []}', "x").windows_ca_certs_match == ()


def test_a_byte_order_mark_is_no_error() -> None:
    assert parse(b'\xef\xbb\xbf{"url": "a"}', "x").url == "a"


def test_invalid_utf_8_and_lone_surrogates_are_replaced() -> None:
    assert parse(b'{"description": "a\xffb"}', "x").description == "a\ufffdb"
    assert parse(b'{"description": "a\\ud800b"}', "x").description == "a\ufffdb"
    assert parse(b'{"description": "\\ud83c\\udf89"}', "x").description == "🎉"
    assert "\ufffd".encode() in dump(Context(description="\udcff"))


def test_unknown_keys_are_kept_after_the_known_ones() -> None:
    data = dump(parse(b'{"zzz": {"a": [1, 2.5, "<"]}, "url": "a"}', "x"))
    assert list(json.loads(data)) == [*KEYS, "zzz"]
    assert b'"\\u003c"' in data


@pytest.mark.parametrize(
    ("data", "what", "where"),
    [
        (b"", "empty", "f.json"),
        (b" \n", "empty", "f.json"),
        (b'{\n  "url": "a"\n  "user": "b"\n}', "invalid JSON: expecting ',' delimiter", "f.json, line 3, column 3"),
        (b'{"url": "a', "unterminated string", "f.json, line 1, column 9"),
        (b'{"url": NaN}', "invalid JSON", "f.json"),
        (b'{"x": ' + b"9" * 5000 + b"}", "invalid JSON", "f.json"),
        (b"[" * 100_000, "invalid JSON", "f.json"),
        (b"[1]", "not a list", "f.json, line 1, column 1"),
        (b'"x"', "not text", "f.json, line 1, column 1"),
        (b'{\n  "description": "url",\n  "x": {"url": 1},\n  "url": 5\n}', "'url' must be text, not a number",
         "f.json, line 4, column 10"),
        (b'{"tls_first": "yes"}', "'tls_first' must be true or false, not text", "f.json, line 1, column 15"),
        (b'{"user": {}}', "'user' must be text, not an object", "f.json, line 1, column 10"),
        (b'{"USER":\n true}', "'user' must be text, not true", "f.json, line 2, column 2"),
        (b'{"windows_ca_certs_match": [1]}', "must be a list of texts, not a list", "column 28"),
    ],
)  # fmt: skip
def test_errors_name_the_file_the_place_and_the_key(data: bytes, what: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(data, "f.json")
    assert what in caught.value.what
    assert where in caught.value.where


def test_errors_hold_no_value() -> None:
    with pytest.raises(InputError) as caught:
        parse(b'{"password": ["s3cr3t-list"]}', "f.json")
    assert "s3cr3t" not in f"{caught.value.what} {caught.value.where}"


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, ()),
        ({"user": "u", "password": "p"}, ("user",)),
        ({"token": "t"}, ("token",)),
        ({"creds": "f", "token": "t"}, ("creds",)),
        ({"creds": "f", "nsc": "nsc://o"}, ("creds",)),
        ({"user": "u", "token": "t"}, ("user", "token")),
        ({"user": "u", "creds": "c", "nkey": "n", "nsc": "", "user_jwt": "j"}, ("user", "creds", "nkey", "user_jwt")),
        ({"nkey": "n", "nsc": "x"}, ("nkey", "nsc")),
    ],
)  # fmt: skip
def test_kinds_of_credentials(values: dict[str, str], kinds: tuple[str, ...]) -> None:
    assert credential_kinds(Context(**values)) == kinds  # type: ignore[arg-type]


SECRET = "s3cr3t-planted"


@pytest.mark.parametrize("key", ["password", "token", "user_jwt", "user_seed"])
def test_secrets_are_masked_and_references_are_not(key: str) -> None:
    def shown(value: str) -> str:
        text = getattr(redacted(Context(**{key: value})), key)  # type: ignore[arg-type]
        assert isinstance(text, str)
        return text

    assert shown(SECRET) == "********"
    assert shown(f"x://{SECRET}") == "********"
    assert shown(f"data:;base64,{SECRET}") == "data:;base64,********"
    for reference in ("env://NAME", "op://vault/item/field", "nsc://o/a/u", "FILE:///tmp/x", ""):
        assert shown(reference) == reference


def test_paths_of_credentials_are_shown_and_embedded_ones_are_not() -> None:
    context = redacted(Context(creds="~/ngs.creds", nkey=f"data:;base64,{SECRET}"))
    assert (context.creds, context.nkey) == ("~/ngs.creds", "data:;base64,********")


@pytest.mark.parametrize(
    ("urls", "shown"),
    [
        ("nats://a:4222,tls://b", "nats://a:4222,tls://b"),
        (f"nats://u:{SECRET}@a:4222,nats://{SECRET}@b", "nats://********@a:4222,nats://********@b"),
        (f"u:{SECRET}@a:4222", "********@a:4222"),
        (f"nats://u:{SECRET}@x@a", "nats://********@a"),
        (f"nats://u:{SECRET}://@a", "nats://********@a"),
        (f"nats://u:a,{SECRET}@a", "nats://********@a"),
        (f"nats://u:a/{SECRET}@a", "nats://********@a"),
        ("a,b:4222", "a,b:4222"),
        (f"u:{SECRET}@a:1,v:{SECRET}@b:2", "********@a:1,********@b:2"),
        (f"u:1,{SECRET}@a", "********@a"),
    ],
)
def test_urls_are_shown_without_userinfo(urls: str, shown: str) -> None:
    context = redacted(Context(url=urls, socks_proxy=urls))
    assert (context.url, context.socks_proxy) == (shown, shown)


@pytest.mark.parametrize(
    "urls",
    [
        ["amy:pw@127.0.0.1:1", "bob:pw@127.0.0.1:2", "127.0.0.1:3"],
        ["nats://127.0.0.1:1", "bob:pw@127.0.0.1:2"],
        ["a", "bob:p,w@b", "[::1]:1", "::1", "tls://c", ":4222", "bob:pw@d", "token@e", "token@f:1"],
        ["ws://u:pw@a:1/x", "u:p:w@b"],
        ["nats://u:p,w@a:1", "b:1", "u:p,w:x@c"],
        ["u:1/2,v:w@a"],
        ["", "u:p@a", ""],
    ],
    ids=",".join,
)
def test_a_list_is_separated_where_a_whole_server_ends(urls: list[str]) -> None:
    assert split_urls(",".join(urls)) == urls


def test_unknown_keys_that_look_like_secrets_are_masked() -> None:
    context = redacted(Context(extra={"api_token": SECRET, "deep": {"Password": [SECRET]}, "n": 1}))
    assert context.extra == {"api_token": "********", "deep": {"Password": ["********"]}, "n": 1}


@pytest.mark.parametrize(
    "extra",
    [
        {"apikey": SECRET}, {"Api-Key": SECRET}, {"passphrase": SECRET}, {"pass": SECRET}, {"db_pass2": SECRET},
        {"auth": {"x": SECRET}}, {"token2": {"value": [{"deep": SECRET}]}}, {"Credential": SECRET}, {"pwd": SECRET},
        {"session_cookie": SECRET}, {"privateKey": SECRET}, {"secret": 4711}, {"secret": {"n": 1.5}},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_unknown_keys_are_masked_by_every_word_for_a_secret(extra: dict[str, Any]) -> None:
    shown = json.dumps(dict(redacted(Context(extra=extra)).extra))
    assert MASK in shown
    assert not any(secret in shown for secret in (SECRET, "4711", "1.5"))


def test_unknown_keys_that_are_no_secrets_are_shown() -> None:
    extra = {
        "passenger": "x",
        "key": "/a/b.key",
        "n": 1,
        "auth": {"from": "env://A", "on": True, "off": None},
    }
    assert redacted(Context(extra=extra)).extra == extra


def test_the_literal_secrets_of_a_context_are_listed() -> None:
    context = Context(
        password="p1", token="env://X", user_seed="data:;base64,AAAA", url="nats://u:p%40@h,tls://t@x"
    )
    assert {"p1", "AAAA", "p@", "p%40"} <= set(secrets(context))
    assert "env://X" not in set(secrets(context))


def test_a_context_in_a_traceback_or_a_log_shows_no_secret() -> None:
    shown = repr(Context(url=f"nats://u:{SECRET}@h", user="u", password=SECRET, token=SECRET))
    assert SECRET not in shown
    assert "user" in shown


@pytest.mark.parametrize("urls", [f"nats://u:{SECRET}://@a", f"nats://h,u:{SECRET}@a", f"u:x,{SECRET}@a,b"])
def test_what_is_secret_in_urls_is_what_is_not_shown(urls: str) -> None:
    redactor = Redactor()
    redactor.add(*url_secrets(urls))
    assert SECRET not in redactor.redact(urls)
    assert SECRET not in redact_urls(urls)


@pytest.mark.parametrize(
    "odd",
    ["[" * 600 + "]" * 600, "1e999", '{"a":' * 65 + "1" + "}" * 65],
    ids=["deep", "infinite", "65 objects"],
)
def test_what_could_not_be_written_again_is_refused(odd: str) -> None:
    with pytest.raises(InputError, match="out of bounds"):
        parse(f'{{"url": "nats://a", "odd": {odd}}}'.encode(), "file")


def test_what_is_nested_as_deep_as_people_nest_is_kept() -> None:
    data = ('{"odd": ' + "[" * 60 + "1" + "]" * 60 + "}").encode()
    assert parse(dump(parse(data, "file")), "file") == parse(data, "file")
