"""A run folder, unsigned and signed, and the key that signs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from signers import certificate, make_run, publish, write_key

from cards.provenance.credentials import Credentials
from cards.provenance.signing import sign
from cards.provenance.trust import TrustRoot


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def published(run: Path, tmp_path: Path) -> Callable[[], Path]:
    return lambda: publish(run, tmp_path / "published")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key; the public key is beside it, with the suffix .pub."""
    return write_key(tmp_path / "author.pem", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def signed(run: Path, key: Path) -> Path:
    """The run folder, signed with the key."""
    sign(run, Credentials(key))
    return run


@pytest.fixture
def trust(key: Path) -> TrustRoot:
    return TrustRoot(key=key.with_suffix(".pub"))


@pytest.fixture
def authority(tmp_path: Path) -> Callable[[str], tuple[Path, ec.EllipticCurvePrivateKey]]:
    """Make a certificate authority: the file of its certificate, and its key."""

    def make(name: str) -> tuple[Path, ec.EllipticCurvePrivateKey]:
        own = ec.generate_private_key(ec.SECP384R1())
        path = tmp_path / f"{name}.crt"
        path.write_bytes(certificate(name, own, (name, own), True))
        return path, own

    return make
