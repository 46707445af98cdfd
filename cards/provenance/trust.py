"""Who signed a model: verification of a signature against a public key, a certificate or an identity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.errors import InputError, ModelError
from cards.provenance.bundle import Bundle, Method
from cards.provenance.credentials import InMemory, read_pem
from cards.provenance.quiet import quiet

OPTIONS = {"key": "--key FILE", "certificate": "--certificate FILE", "sigstore": "--identity and --issuer"}


@dataclass(frozen=True)
class TrustRoot:
    """Whose signature is accepted: exactly one of key, certificates and identity.

    Attributes:
        key: file with the public key (PEM).
        certificates: files with the certificates of trusted authorities (PEM).
        identity: at Sigstore, e.g. an e-mail address.
        issuer: URL of the service that confirmed the identity.
    """

    key: Path | None = None
    certificates: tuple[Path, ...] = ()
    identity: str | None = None
    issuer: str | None = None

    def __post_init__(self) -> None:
        """Check the combination of values.

        Raises:
            InputError: if there is not exactly one, or the identity has no issuer.
        """
        given = (self.key is not None) + bool(self.certificates) + (self.identity is not None)
        if given != 1:
            raise InputError("give exactly one of --key, --certificate and --identity")
        if (self.identity is None) != (self.issuer is None):
            raise InputError(
                "--identity needs --issuer, the service that confirmed it, e.g. --issuer "
                "https://accounts.google.com; without --identity, leave it out"
            )

    def check_files(self) -> None:
        """Check that key and certificates can be read.

        Raises:
            InputError: if one cannot, or is something else, such as a private key.
        """
        if self.key is not None:
            read_pem(self.key, "PUBLIC KEY")
        for path in self.certificates:
            read_pem(path, "CERTIFICATE")

    @property
    def method(self) -> Method:
        """The kind of signature that this accepts."""
        return "key" if self.key else "certificate" if self.certificates else "sigstore"

    @property
    def who(self) -> str:
        """The trusted signer in words; of a file only its name."""
        if self.key is not None:
            return f"the owner of {self.key.name}"
        if self.certificates:
            return f"the owner of a certificate of {', '.join(path.name for path in self.certificates)}"
        return str(self.identity)


@dataclass(frozen=True)
class Authenticity:
    """Whether the trusted signer made a signature.

    Attributes:
        genuine: True if the signature was verified.
        evidence: who signed, or why the signature was not verified.
    """

    genuine: bool
    evidence: str


def authenticate(bundle: Bundle, trust: TrustRoot) -> Authenticity:
    """Verify a signature.

    Args:
        bundle: the signature.
        trust: whose signature is accepted.

    Returns:
        The outcome.

    Raises:
        InputError: if a key or a certificate cannot be read.
    """
    if bundle.method != trust.method:
        words = f"signed with {_described(bundle.method)}; verify it with {OPTIONS[bundle.method]}"
        return Authenticity(False, words)
    with quiet():
        if trust.method == "sigstore":
            return _by_identity(bundle, trust)
        return _by_key(bundle, trust)


def _by_key(bundle: Bundle, trust: TrustRoot) -> Authenticity:
    from model_signing import verifying

    if trust.key is not None:
        content = read_pem(trust.key, "PUBLIC KEY")
        verifier: Any = _verifier(trust.key, verifying.ec_key.Verifier, InMemory(content))
        who = f"key {trust.key.name} (SHA-256 {hashlib.sha256(content).hexdigest()[:12]}…)"
    else:
        files = [InMemory(read_pem(path, "CERTIFICATE")) for path in trust.certificates]
        verifier = _verifier(trust.certificates[0], verifying.certificate.Verifier, files)
        who = f"a certificate issued by {', '.join(path.name for path in trust.certificates)}"
    try:
        manifest = verifier.verify(verifying.sigstore_pb.Signature.read(bundle.path))
    except Exception as error:  # ValueError, InvalidSignature, X509StoreContextError and what parsing raises
        return Authenticity(False, f"not signed with {who}: {_reason(error)}")
    read = {item.identifier: item.digest.digest_hex for item in manifest.resource_descriptors()}
    if read != bundle.files:
        return Authenticity(False, "model-signing reads other files from the signature than finetune")
    return Authenticity(True, f"signed with {who}")


def _verifier(path: Path, make: Any, content: Any) -> Any:
    try:
        return make(content)
    except Exception as error:  # ValueError, UnsupportedAlgorithm, AttributeError for a key of another kind
        raise InputError(
            f"{path}: not usable; give an elliptic-curve public key, or a certificate"
        ) from error


def _by_identity(bundle: Bundle, trust: TrustRoot) -> Authenticity:
    from importlib.metadata import version

    from sigstore import models, verify

    note = ""
    try:
        roots = models.ClientTrustConfig.production().trusted_root
    except Exception:  # without a network: of tuf, requests or urllib3
        roots = models.ClientTrustConfig.production(offline=True).trusted_root
        note = f" (server of Sigstore not reachable: trust root of sigstore {version('sigstore')})"
    policy = verify.policy.Identity(identity=str(trust.identity), issuer=trust.issuer)
    try:
        content = models.Bundle.from_json(bundle.path.read_bytes())
        _, payload = verify.Verifier(trusted_root=roots).verify_dsse(content, policy)
    except Exception as error:  # VerificationError, InvalidBundle and what parsing raises
        return Authenticity(False, f"not signed by {trust.identity}{note}: {_reason(error)}")
    if payload != bundle.payload:
        return Authenticity(False, "sigstore reads another statement from the signature than finetune")
    return Authenticity(True, f"signed by {trust.identity}, confirmed by {trust.issuer}{note}")


def _described(method: Method) -> str:
    return {"key": "a key", "certificate": "a certificate", "sigstore": "an identity at Sigstore"}[method]


def _reason(error: Exception) -> str:
    """One line; an invalid signature has no text of its own."""
    return " ".join(str(error).split())[:200] or "the signature is not valid"


def need_signing() -> None:
    """Check that the packages of the extra `signing` are installed.

    Raises:
        ModelError: with the command that installs them.
    """
    from importlib.util import find_spec

    if find_spec("model_signing") is None or find_spec("OpenSSL") is None:
        raise ModelError(
            'model-signing is not installed; install it in a clone of finetune with: pip install ".[signing]"'
        )
