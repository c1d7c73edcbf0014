"""The page's own certificates: a small authority made by the box, good for the box's names only, and a leaf of a year.

The authority is name-constrained (RFC 5280, 4.2.1.10): whoever trusts it trusts it for this box and nothing else.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.durable import write_whole

AUTHORITY_DAYS = 3650
LEAF_DAYS = 397  # what browsers accept at most is 398
RENEW_DAYS = 30


def ensure(folder: Path, names: Sequence[str], utc_ms: int) -> tuple[Path, Path]:
    """Paths of the certificate chain and its key, made or renewed where needed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    chain, key = folder / "page.pem", folder / "page.key"
    now = datetime.datetime.fromtimestamp(utc_ms / 1000, datetime.UTC)
    if not _is_good(chain, key, names, now):
        authority, signing = _authority(folder, names, now)
        certificate, private = _leaf(authority, signing, names, now)
        write_whole(key, _pem_key(private), 0o600)
        pem = serialization.Encoding.PEM
        write_whole(chain, certificate.public_bytes(pem) + authority.public_bytes(pem), 0o644)
    return chain, key


def _is_good(chain: Path, key: Path, names: Sequence[str], now: datetime.datetime) -> bool:
    if not (chain.is_file() and key.is_file()):
        return False
    leaf = x509.load_pem_x509_certificate(chain.read_bytes())
    known = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    wanted = {_general(name) for name in names}
    return set(known) >= wanted and leaf.not_valid_after_utc - now > datetime.timedelta(days=RENEW_DAYS)


def _authority(
    folder: Path, names: Sequence[str], now: datetime.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The box's authority, made anew where it does not cover ``names``."""
    file, key_file = folder / "authority.pem", folder / "authority.key"
    if file.is_file() and key_file.is_file():
        known = x509.load_pem_x509_certificate(file.read_bytes())
        private = serialization.load_pem_private_key(key_file.read_bytes(), None)
        allowed = known.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
        if isinstance(private, ec.EllipticCurvePrivateKey) and set(allowed) >= set(_permitted(names)):
            return known, private
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pasokh box authority")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(_permitted(names), None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    write_whole(key_file, _pem_key(private), 0o600)
    write_whole(file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate, private


def _leaf(
    authority: x509.Certificate, signing: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    private = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
        .issuer_name(authority.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=LEAF_DAYS - 1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .sign(signing, hashes.SHA256())
    )
    return certificate, private


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)


def _permitted(names: Sequence[str]) -> list[x509.GeneralName]:
    permitted: list[x509.GeneralName] = [x509.DNSName("local")]
    for name in names:
        general = _general(name)
        if isinstance(general, x509.IPAddress):
            permitted.append(x509.IPAddress(ipaddress.ip_network(str(general.value))))
        elif not name.endswith(".local"):
            permitted.append(general)
    return permitted


def _pem_key(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
