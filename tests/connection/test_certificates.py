"""Certificates: the same verdict with every Python, names that do not match, and hints that fit."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from natscli.connection.tls import tls_context
from natscli.settings import Settings, Value
from natscli.wire.client import Client
from tests.certificates import Certificates
from tests.program import Runner
from tests.servers import Server, free_port

Key = ec.EllipticCurvePrivateKey


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def issue(
    path: Path,
    subject: str,
    key: Key,
    issuer: str,
    signer: Key,
    *,
    authority: bool,
    names: tuple[str, ...] = (),
    days: int = 1,
) -> None:
    """A certificate with nothing in it but what is needed: no key usage, no identifiers of keys."""
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10)).not_valid_after(now + datetime.timedelta(days=days))
    )  # fmt: skip
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False)
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(text) for text in names])
        builder = builder.add_extension(alternatives, critical=False)
    path.write_bytes(builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def write_key(path: Path, key: Key) -> None:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.fixture
def plain(tmp_path: Path) -> Callable[..., str]:
    """`plain(names)` gives the `tls` block of a server whose certificate a small authority has made, in `ca.pem`."""

    def make(*names: str, days: int = 1) -> str:
        root, middle, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        issue(tmp_path / "root.pem", "root", root, "root", root, authority=True)
        issue(tmp_path / "ca.pem", "small authority", middle, "root", root, authority=True)
        issue(tmp_path / "server.pem", "server", server, "small authority", middle, authority=False, names=names,
              days=days)  # fmt: skip
        write_key(tmp_path / "server.key", server)
        return f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.key" }}\n'

    return make


def test_a_small_authority_that_is_trusted_is_enough(
    plain: Callable[..., str], pynats: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    """Go asks for no key identifiers, and an authority that is trusted need not be a root."""
    server = server_factory(plain("localhost"))
    run = pynats(
        "request", "nobody", "x", "-s", f"localhost:{server.port}", "--tlsca", str(tmp_path / "ca.pem")
    )
    assert run.status == 3, run.stderr


def test_no_python_is_stricter_than_another(tmp_path: Path, certificates: Certificates) -> None:
    given = tls_context(Settings(tlsca=Value(str(certificates.ca))), {})
    assert given is not None
    for context in (given, Client().ssl_context):
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
        assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("scheme", ["nats", "wss", "tls first"])
def test_a_name_that_does_not_match_is_said_with_those_that_do(
    scheme: str, certificates: Certificates, pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    block = f'tls {{ cert_file: "{certificates.name_cert}", key_file: "{certificates.name_key}"'
    block += ", handshake_first: true }\n" if scheme == "tls first" else " }\n"
    port = free_port()
    server = server_factory(
        f"websocket {{ port: {port}, host: 127.0.0.1\n{block} }}" if scheme == "wss" else block
    )
    url = f"wss://127.0.0.1:{port}" if scheme == "wss" else server.url
    options = ["--tlsfirst"] if scheme == "tls first" else []
    run = pynats("request", "x", "y", "--tlsca", str(certificates.ca), *options, server=url)
    assert run.status == 5
    assert run.errors == [
        f"pynats: error: the certificate of the server is not for '127.0.0.1' but for localhost ({url})",
        f"  hint: connect to the server by a name in its certificate: {url.replace('127.0.0.1', 'localhost')}",
    ]


def test_an_address_among_the_names_is_no_address(
    plain: Callable[..., str], pynats: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory(plain("127.0.0.1"))
    run = pynats("request", "x", "y", "--tlsca", str(tmp_path / "ca.pem"), server=server)
    assert run.status == 5
    what = "the certificate of the server has 127.0.0.1 as a DNS name, not as an address"
    assert run.errors == [f"pynats: error: {what} ({server.url})"]
    run = pynats("rtt", "--tlsca", str(tmp_path / "ca.pem"), server=f"tls://localhost:{server.port}")
    assert "the certificate of the server is not for 'localhost' but for 127.0.0.1" in run.errors[0]


def test_many_names_are_cut(
    plain: Callable[..., str], pynats: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory(plain("*.example.com", *(f"n{number}.example.com" for number in range(8))))
    run = pynats("request", "x", "y", "--tlsca", str(tmp_path / "ca.pem"), server=server)
    assert "is not for '127.0.0.1' but for *.example.com, n0.example.com, " in run.errors[0]
    assert "n4.example.com and 3 more (" in run.errors[0]
    assert run.errors[1].endswith(f"in its certificate: nats://n0.example.com:{server.port}")


def test_hints_do_not_name_what_was_given(
    plain: Callable[..., str],
    certificates: Certificates,
    pynats: Runner,
    server_factory: Callable[..., Server],
    tmp_path: Path,
) -> None:
    server = server_factory(certificates.server_config())
    run = pynats("request", "x", "y", server=server)
    assert run.errors[1] == "  hint: --tlsca FILE names the authority to trust"
    run = pynats("request", "x", "y", "--tlsca", str(certificates.other_ca), server=server)
    assert run.errors[1] == "  hint: the authority that --tlsca names has not signed it"
    block = plain("localhost", days=-1)
    for config, options in (
        (block, ()),
        (block.replace("tls {", "tls { handshake_first: true,"), ("--tlsfirst",)),
    ):
        url = f"localhost:{server_factory(config).port}"
        run = pynats("request", "x", "y", "-s", url, "--tlsca", str(tmp_path / "ca.pem"), *options)
        assert run.status == 5
        assert "certificate has expired" in run.errors[0]
        assert len(run.errors) == 1


def test_an_alert_that_is_not_about_a_certificate_is_none(certificates: Certificates, pynats: Runner) -> None:
    """The peer takes no cipher suite that the client offers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server_cert, certificates.server_key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the key is none of RSA
    with socket.create_server(("127.0.0.1", 0)) as peer:

        def refuse() -> None:
            with peer.accept()[0] as connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"tls://127.0.0.1:{peer.getsockname()[1]}"
        run = pynats("request", "x", "y", "--tlsca", str(certificates.ca), "--tlsfirst", server=url)
        thread.join()
    assert run.status == 5
    assert "TLS problem: " in run.errors[0]
    assert "handshake failure" in run.errors[0]
    assert "certificate" not in run.stderr
