"""Hints after a refusal: about the login only when that was refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.certificates import Certificates, make_certificates
from tests.program import Runner
from tests.servers import Server, free_port


def test_a_limit_of_the_server_is_no_matter_of_the_login(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory("max_subscriptions: 1")
    run = pynats("subscribe", "a", "b", server=server)
    assert run.status == 6
    assert (
        run.errors[-1] == f"pynats: error: the server reported: maximum subscriptions exceeded ({server.url})"
    )


@pytest.mark.parametrize("first", [False, True], ids=["", "tls first"])
@pytest.mark.parametrize("context", [False, True], ids=["flags", "context"])
def test_a_client_certificate_that_is_not_taken_is_named(
    first: bool,
    context: bool,
    pynats: Runner,
    server_factory: Callable[..., Server],
    certificates: Certificates,
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other")
    server = server_factory(certificates.server_config(verify=True, first=first))
    options = ["--tlsca", str(certificates.ca), "--tlscert", str(other.client_cert)]
    options += ["--tlskey", str(other.client_key), *(["--tlsfirst"] if first else [])]
    named = "--tlscert and --tlskey"
    if context:
        assert pynats("context", "add", "mine", *options, "--server", server.url).status == 0
        options, named = ["--context", "mine"], "context 'mine'"
    run = pynats("rtt", *options, server=None if context else server)
    # The alert of the server may be lost with the connection.
    assert run.status in (5, 6)
    if not first or run.status == 6:
        assert run.errors[1:] == [f"  hint: check {named}, and that this is the server for it"]


def test_a_client_certificate_that_is_missing_is_named_over_websockets(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates
) -> None:
    port = free_port()
    server_factory(
        f"websocket {{ host: 127.0.0.1, port: {port}\n{certificates.server_config(verify=True)} }}"
    )
    run = pynats("rtt", "--tlsca", str(certificates.ca), server=f"wss://127.0.0.1:{port}")
    assert run.status in (5, 6)
    if run.status == 6:  # the alert of the server was not lost with the connection
        assert "the server requires a TLS client certificate" in run.errors[0]
        assert run.errors[1:] == ["  hint: --tlscert FILE --tlskey FILE"]
    else:
        assert "SSL" not in run.stderr.upper()
