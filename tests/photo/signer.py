"""A certificate for signing pictures, made for a test."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

BEGIN, END = datetime.datetime(2026, 1, 1), datetime.datetime(2076, 1, 1)
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a chain of two certificates and the key of the first; skip the test without what makes them."""
    pytest.importorskip("c2pa")
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def named(name: str) -> object:
        organisation = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "An archive")
        return x509.Name([organisation, x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def usage(*wanted: str) -> object:
        return x509.KeyUsage(**{each: each in wanted for each in _USAGES})

    root, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def begun(name: str, key: ec.EllipticCurvePrivateKey, number: int) -> object:
        made = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named("root"))
        made = made.public_key(key.public_key()).serial_number(number).not_valid_before(BEGIN).not_valid_after(END)
        return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)

    ca = begun("root", root, 1).add_extension(x509.BasicConstraints(True, None), critical=True)
    ca = ca.add_extension(usage("key_cert_sign", "crl_sign"), critical=True).sign(root, hashes.SHA256())
    own = begun("signer", signer, 2).add_extension(x509.BasicConstraints(False, None), critical=True)
    own = own.add_extension(usage("digital_signature"), critical=True)
    own = own.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    own = own.add_extension(authority, critical=False).sign(root, hashes.SHA256())
    pem = serialization.Encoding.PEM
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(own.public_bytes(pem) + ca.public_bytes(pem))
    key.write_bytes(signer.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return chain, key
