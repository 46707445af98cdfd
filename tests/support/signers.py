"""A small run folder with all kinds of files, and keys and certificates made for a test."""

from __future__ import annotations

import datetime
import shutil
import zipfile
from pathlib import Path

import examples
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cards.huggingface import render


def make_run(folder: Path) -> Path:
    """A run folder; its record lists fewer files than there are, as one of another version could."""
    hub = folder / "huggingface"
    for name in ("huggingface", "bioimageio", "checkpoints", "logs", "native"):
        (folder / name).mkdir(parents=True)
    text = examples.full().dumps()
    (folder / "record.json").write_text(text, encoding="utf-8")
    (hub / "record.json").write_text(text, encoding="utf-8")
    (hub / "README.md").write_text(render(examples.full(), []), encoding="utf-8")
    (hub / "model.safetensors").write_bytes(b"weights")
    (hub / "config.json").write_text("{}")
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"state")
    (folder / "native" / "network.pth").write_bytes(b"weights")
    (folder / "logs" / "metrics.csv").write_text("epoch,loss\n")
    with zipfile.ZipFile(folder / "bioimageio" / "model.zip", "w") as package:
        package.writestr("rdf.yaml", "name: model\n")
        package.writestr("weights.pt", b"weights")
    return folder


def publish(run: Path, folder: Path) -> Path:
    """The folder as published on Hugging Face: with the unpacked package."""
    shutil.copytree(run / "huggingface", folder)
    with zipfile.ZipFile(run / "bioimageio" / "model.zip") as package:
        package.extractall(folder / "package")
    (folder / "package" / "rdf.yaml").rename(folder / "package" / "bioimageio.yaml")
    shutil.copytree(run / "native", folder / "native")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    return folder


def write_key(path: Path, key: ec.EllipticCurvePrivateKey, password: str | None = None) -> Path:
    """Write a private key, and beside it the public key with the suffix .pub."""
    encryption = (
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
    public = path.with_suffix(".pub")
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return path


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[str, ec.EllipticCurvePrivateKey],
    authority: bool,
) -> bytes:
    """A certificate (PEM) that an issuer made out to a name."""
    now = datetime.datetime.now(datetime.UTC)
    usage = {
        name: False
        for name in (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        )
    }
    issuer_name, issuer_key = issuer
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer_name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **usage), critical=True
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
