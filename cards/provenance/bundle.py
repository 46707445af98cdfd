"""Signature files in the OpenSSF Model Signing format 1.0, read without any library.

A signature file is a Sigstore bundle: JSON with the verification material and a DSSE envelope, whose payload
is an in-toto statement with the name and hash of every signed file. Reading it shows what was signed; who
signed it is shown by `cards.provenance.trust`. Source of all rules: github.com/ossf/model-signing-spec,
spec/v1.0.md and schemas/v1.0 (2026-05-14).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from cards.errors import ModelError

Method = Literal["key", "certificate", "sigstore"]

PREDICATE = "https://model_signing/signature/v1.0"
STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle"
MATERIAL: dict[str, Method] = {
    "publicKey": "key",
    "x509CertificateChain": "certificate",
    "certificate": "sigstore",
}
ALGORITHMS = ("sha256", "blake2b", "blake3")
MAX_BYTES = 64 * 2**20
HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True)
class Bundle:
    """What a signature file states.

    Attributes:
        path: the signature file.
        method: how the model was signed.
        subject: name of the folder when it was signed; for information only.
        algorithm: of the hashes: "sha256", "blake2b" or "blake3".
        files: hash by path in the signed folder.
        ignored: paths that the signature leaves out, with everything below them.
        payload: the signed statement, as bytes.
    """

    path: Path
    method: Method
    subject: str
    algorithm: str
    files: dict[str, str]
    ignored: tuple[str, ...]
    payload: bytes

    def ignores(self, name: str) -> bool:
        """Whether the signature leaves out a file.

        Args:
            name: path in the folder.

        Returns:
            True if the path or one of its parents is in `ignored`.
        """
        return any(PurePosixPath(name).is_relative_to(path) for path in self.ignored)


def read_bundle(path: Path) -> Bundle:
    """Read a signature file.

    Args:
        path: the file.

    Returns:
        What it states. Whether the signature is genuine is not known yet.

    Raises:
        ModelError: if it cannot be read or is not a signature in the OpenSSF format.
    """
    where = path.name
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{where}: larger than {MAX_BYTES // 2**20} MB, so not a signature")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{where}: cannot be read: {error.strerror}") from error
    bundle = _object(_json(content, where), "the file", where)
    if not str(bundle.get("mediaType", "")).startswith(MEDIA_TYPE):
        raise ModelError(f"{where}: not a signature of a model: mediaType is not {MEDIA_TYPE}…")
    method = _method(_object(bundle.get("verificationMaterial"), "verificationMaterial", where), where)
    payload = _payload(_object(bundle.get("dsseEnvelope"), "dsseEnvelope", where), where)
    statement = _object(_json(payload, f"{where}: payload"), "payload", where)
    for key, expected in (("_type", STATEMENT), ("predicateType", PREDICATE)):
        if statement.get(key) != expected:
            raise ModelError(f"{where}: {key} is {statement.get(key)!r}, expected {expected!r}")
    predicate = _object(statement.get("predicate"), "predicate", where)
    serialization = _object(predicate.get("serialization"), "serialization", where)
    algorithm, ignored = _serialization(serialization, where)
    files = _files(predicate.get("resources"), algorithm, where)
    return Bundle(path, method, _subject(statement, files, where), algorithm, files, ignored, payload)


def _method(material: dict[str, Any], where: str) -> Method:
    """Decide how the model was signed, and check that the material for it is complete."""
    found = [key for key in MATERIAL if isinstance(material.get(key), dict)]
    if len(found) != 1:
        raise ModelError(
            f"{where}: verificationMaterial needs exactly one of {', '.join(MATERIAL)}; found {len(found)}"
        )
    key = found[0]
    content = material[key]
    certificates = content.get("certificates")
    complete = {
        "publicKey": any(isinstance(content.get(name), str) for name in ("hint", "rawBytes")),
        "x509CertificateChain": isinstance(certificates, list) and bool(certificates),
        "certificate": isinstance(content.get("rawBytes"), str),
    }
    if not complete[key]:
        raise ModelError(f"{where}: verificationMaterial.{key} is incomplete")
    entries = material.get("tlogEntries")
    if MATERIAL[key] == "sigstore" and not (isinstance(entries, list) and entries):
        raise ModelError(f"{where}: signed with Sigstore, but without an entry of its transparency log")
    return MATERIAL[key]


def _payload(envelope: dict[str, Any], where: str) -> bytes:
    if envelope.get("payloadType") != PAYLOAD:
        raise ModelError(f"{where}: payloadType is {envelope.get('payloadType')!r}, expected {PAYLOAD!r}")
    signatures = envelope.get("signatures")
    # The library verifies the first one only, so that any other would go unnoticed.
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise ModelError(f"{where}: dsseEnvelope needs exactly one signature")
    if not _object(signatures[0], "signatures", where).get("sig"):
        raise ModelError(f"{where}: the signature in dsseEnvelope is empty")
    try:
        payload = base64.b64decode(envelope.get("payload") or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ModelError(f"{where}: the payload is not base64") from error
    if not payload:
        raise ModelError(f"{where}: the payload is empty")
    return payload


def _serialization(content: dict[str, Any], where: str) -> tuple[str, tuple[str, ...]]:
    method, algorithm = content.get("method"), content.get("hash_type")
    if method == "shards":
        raise ModelError(
            f"{where}: signed in shards, which finetune does not verify; use model_signing verify"
        )
    if method != "files":
        raise ModelError(f"{where}: serialization.method is {method!r}, expected 'files'")
    if algorithm not in ALGORITHMS:
        raise ModelError(f"{where}: hash_type is {algorithm!r}, expected one of {', '.join(ALGORITHMS)}")
    ignored = content.get("ignore_paths") or []
    if not isinstance(ignored, list) or not all(isinstance(path, str) for path in ignored):
        raise ModelError(f"{where}: ignore_paths is not a list of paths")
    for path in ignored:
        if not path or path.startswith("/") or ".." in path.split("/") or path == ".":
            raise ModelError(f"{where}: ignore_paths contains {path!r}, which is not a path in the folder")
    return str(algorithm), tuple(sorted(ignored))


def _files(resources: Any, algorithm: str, where: str) -> dict[str, str]:
    if not isinstance(resources, list) or not resources:
        raise ModelError(f"{where}: signs no files")
    files: dict[str, str] = {}
    for entry in resources:
        resource = _object(entry, "resources", where)
        name, digest = resource.get("name"), resource.get("digest")
        if not isinstance(name, str) or not isinstance(digest, str) or not HEX.fullmatch(digest):
            raise ModelError(f"{where}: an entry of resources has no name or no hash")
        if resource.get("algorithm") != algorithm:
            raise ModelError(
                f"{where}: {name}: algorithm is {resource.get('algorithm')!r}, not {algorithm!r}"
            )
        if name != PurePosixPath(name).as_posix() or name.startswith("/") or ".." in name.split("/"):
            raise ModelError(f"{where}: {name!r} is not the path of a file in the folder")
        if name in files:
            raise ModelError(f"{where}: {name} is signed twice")
        files[name] = digest
    return files


def _subject(statement: dict[str, Any], files: dict[str, str], where: str) -> str:
    """Name of the model; the root hash must follow from the hashes of the files."""
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise ModelError(f"{where}: expected one subject")
    subject = _object(subjects[0], "subject", where)
    stated = _object(subject.get("digest"), "subject.digest", where).get("sha256")
    if stated != root_digest(list(files.values())):
        raise ModelError(f"{where}: the hash of the model does not follow from the hashes of its files")
    return str(subject.get("name", ""))


def root_digest(digests: Sequence[str]) -> str:
    """Hash of all files: section 6.5.1 of the specification.

    Args:
        digests: hashes of the files in hexadecimal digits, in the order of their names.

    Returns:
        SHA-256 of the concatenated hashes, as 64 hexadecimal digits.
    """
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def _json(content: bytes, where: str) -> Any:
    """Parse JSON; a repeated key is an error, because two readers may then see different files."""
    if not content.strip():
        raise ModelError(f"{where}: empty, so not a signature")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ModelError) else "not valid JSON"
        raise ModelError(f"{where}: {reason}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ModelError("a key occurs twice")
    return content


def _object(value: Any, key: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelError(f"{where}: not a signature of a model: {key} is missing or not an object")
    return value
