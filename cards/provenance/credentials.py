"""Private keys and certificates that sign a model. Neither a key nor its password is logged or stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.errors import InputError

CURVES = ("secp256r1", "secp384r1", "secp521r1")
MAX_BYTES = 2**20


@dataclass(frozen=True)
class Credentials:
    """What signs a model: a private key, alone or with its certificate; or an identity at Sigstore.

    Attributes:
        key: file with the private key (PEM); None for Sigstore.
        certificate: file with the certificate of the key (PEM); None without one.
        chain: files with the certificates of the authorities, the issuer of `certificate` first.
        password: called if the key is encrypted, with the name of its file; returns the password.
    """

    key: Path | None = None
    certificate: Path | None = None
    chain: tuple[Path, ...] = ()
    password: Callable[[str], str] | None = None


@dataclass(frozen=True)
class InMemory:
    """File content in memory, passed to model-signing in place of a path.

    model-signing cannot decrypt a key that is used with a certificate.
    """

    content: bytes

    def read_bytes(self) -> bytes:
        """Content of the file.

        Returns:
            The bytes.
        """
        return self.content


def make_signer(credentials: Credentials) -> Any:
    """Build the signer of model-signing.

    Args:
        credentials: what signs the model.

    Returns:
        A `model_signing._signing.signing.Signer`.

    Raises:
        InputError: if a file cannot be read or is not a suitable key or certificate, the password is wrong,
            or Sigstore cannot be reached.
    """
    from model_signing import signing

    if credentials.key is None:
        return _sigstore_signer(signing)
    key = InMemory(_private_key(credentials.key, credentials.password))
    if credentials.certificate is None:
        return signing.ec_key.Signer(key)  # type: ignore[arg-type]
    certificate = InMemory(read_pem(credentials.certificate, "CERTIFICATE"))
    chain = [InMemory(read_pem(path, "CERTIFICATE")) for path in credentials.chain]
    try:
        return signing.certificate.Signer(key, certificate, chain)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(
            f"{credentials.certificate}: does not fit the key {credentials.key}, or is damaged; give the "
            "certificate that was issued for this key"
        ) from error


def read_pem(path: Path, label: str) -> bytes:
    """Read a file in PEM format.

    Args:
        path: the file.
        label: what it must contain, e.g. "CERTIFICATE" or "PUBLIC KEY".

    Returns:
        The content.

    Raises:
        InputError: if it cannot be read or contains something else.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: too large for a key or a certificate")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if f"{label}-----".encode() not in content:
        raise InputError(f"{path}: not a PEM file with -----BEGIN {label}-----")
    return content


def _private_key(path: Path, password: Callable[[str], str] | None) -> bytes:
    """The key as unencrypted PEM, in memory only."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = read_pem(path, "PRIVATE KEY")
    try:
        key = serialization.load_pem_private_key(content, None)
    except TypeError:  # encrypted
        if password is None:
            raise InputError(f"{path}: the key is encrypted; a password is needed") from None
        secret = password(path.name).encode()
        try:
            key = serialization.load_pem_private_key(content, secret)
        except (TypeError, ValueError):  # TypeError: an empty password
            raise InputError(f"{path}: the key cannot be decrypted; check the password") from None
    except Exception as error:  # ValueError, and UnsupportedAlgorithm of cryptography
        raise InputError(f"{path}: the private key cannot be read; it may be damaged") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        raise InputError(
            f"{path}: model-signing needs an elliptic-curve key (P-256, P-384 or P-521); make one with: "
            "openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
        )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _sigstore_signer(signing: Any) -> Any:
    try:
        return signing.sigstore.Signer(use_ambient_credentials=True)
    except Exception as error:  # of tuf, requests, urllib3 and sigstore
        raise unreachable(error) from error


def unreachable(error: Exception) -> InputError:
    """Error for a signature with Sigstore that failed.

    Args:
        error: of one of its libraries.

    Returns:
        One line; it names the kind of error only, because the text may contain a token.
    """
    return InputError(
        f"Sigstore cannot be used ({type(error).__name__}): signing needs a network and a login; without "
        "them sign with --key FILE"
    )
