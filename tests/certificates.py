"""A private certificate authority with certificates for servers and clients on this machine."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files: `ca` signed the server's and the client's, `other_ca` none.

    The `name` certificate is a server's that has no addresses in it, only the name localhost.
    """

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path
    other_ca: Path
    name_cert: Path
    name_key: Path

    def server_config(self, *, verify: bool = False, first: bool = False) -> str:
        """The `tls` block of a server: `verify` asks clients for a certificate, `first` for TLS at once."""
        lines = [f'cert_file: "{self.server_cert}"', f'key_file: "{self.server_key}"']
        if verify:
            lines += [f'ca_file: "{self.ca}"', "verify: true"]
        if first:
            lines.append("handshake_first: true")
        return "tls {\n" + "\n".join(lines) + "\n}\n"


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make_certificates(folder: Path) -> Certificates:
    """Write a new authority's files to `folder`; the server's names are localhost, 127.0.0.1 and ::1."""
    authority, other = _make_authority("pynats test CA"), _make_authority("another CA")
    paths = Certificates(
        ca=folder / "ca.pem",
        server_cert=folder / "server-cert.pem",
        server_key=folder / "server-key.pem",
        client_cert=folder / "client-cert.pem",
        client_key=folder / "client-key.pem",
        other_ca=folder / "other-ca.pem",
        name_cert=folder / "name-cert.pem",
        name_key=folder / "name-key.pem",
    )
    paths.ca.write_bytes(_pem(authority.certificate))
    paths.other_ca.write_bytes(_pem(other.certificate))
    loopback = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    server_names = x509.SubjectAlternativeName([x509.DNSName("localhost"), *loopback])
    client_names = x509.SubjectAlternativeName([x509.RFC822Name("client@example.com")])
    _issue(
        authority,
        "server",
        server_names,
        ExtendedKeyUsageOID.SERVER_AUTH,
        paths.server_cert,
        paths.server_key,
    )
    _issue(
        authority,
        "server",
        x509.SubjectAlternativeName([x509.DNSName("localhost")]),
        ExtendedKeyUsageOID.SERVER_AUTH,
        paths.name_cert,
        paths.name_key,
    )
    _issue(
        authority,
        "client",
        client_names,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        paths.client_cert,
        paths.client_key,
    )
    return paths


def _make_authority(name: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Authority(key, certificate)


def _issue(
    authority: _Authority,
    name: str,
    alternative_names: x509.SubjectAlternativeName,
    usage: x509.ObjectIdentifier,
    certificate_path: Path,
    key_path: Path,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    certificate = (
        _builder(name, str(issuer), key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(key_cert_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(alternative_names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
        .sign(authority.key, hashes.SHA256())
    )
    certificate_path.write_bytes(_pem(certificate))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    key_path.chmod(0o600)


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, key_cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
