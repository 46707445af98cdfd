"""Signature files are judged like the test vectors of the OpenSSF specification."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cards.errors import InputError, ModelError
from cards.provenance.bundle import read_bundle
from cards.provenance.trust import TrustRoot, authenticate

VECTORS = "FINETUNE_OMS_VECTORS"
IDENTITY = TrustRoot(identity="stefanb@us.ibm.com", issuer="https://sigstore.verify.ibm.com/oauth2")


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    return path


def with_payload(content: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    statement = json.loads(base64.b64decode(content["dsseEnvelope"]["payload"]))
    change(statement)
    content["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    return content


BUNDLE_REASONS = {
    "missing envelope": "dsseEnvelope is missing",
    "missing verification material": "verificationMaterial is missing",
    "no key": "needs exactly one of",
    "key without hint": "publicKey is incomplete",
    "no media type": "mediaType is not",
    "no signature": "exactly one signature",
    "two signatures": "exactly one signature",
    "other payload type": "payloadType is",
    "payload is not base64": "is not base64",
    "Sigstore without transparency log": "without an entry of its transparency log",
}

BUNDLE_CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "missing envelope": lambda content: content.pop("dsseEnvelope"),
    "missing verification material": lambda content: content.pop("verificationMaterial"),
    "no key": lambda content: content["verificationMaterial"].pop("publicKey"),
    "key without hint": lambda content: content["verificationMaterial"]["publicKey"].clear(),
    "no media type": lambda content: content.pop("mediaType"),
    "no signature": lambda content: content["dsseEnvelope"].update(signatures=[]),
    "two signatures": lambda content: content["dsseEnvelope"]["signatures"].append({"sig": "AA=="}),
    "other payload type": lambda content: content["dsseEnvelope"].update(payloadType="text/plain"),
    "payload is not base64": lambda content: content["dsseEnvelope"].update(payload="!"),
    "Sigstore without transparency log": lambda content: content.update(
        verificationMaterial={"certificate": {"rawBytes": "AA=="}, "tlogEntries": []}
    ),
}

STATEMENT_REASONS = {
    "other predicate": "predicateType is",
    "other statement": "_type is",
    "no files": "signs no files",
    "path out of the folder": "is not the path of a file",
    "absolute path": "is not the path of a file",
    "a file twice": "is signed twice",
    "other hash": "does not follow from",
    "everything ignored": "ignore_paths contains",
    "shards": "signed in shards",
    "unknown algorithm": "hash_type is",
}

STATEMENT_CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "other predicate": lambda statement: statement.update(predicateType="https://example.com/v1"),
    "other statement": lambda statement: statement.update(_type="https://in-toto.io/Statement/v0.1"),
    "no files": lambda statement: statement["predicate"].update(resources=[]),
    "path out of the folder": lambda statement: statement["predicate"]["resources"][0].update(
        name="../model.pt"
    ),
    "absolute path": lambda statement: statement["predicate"]["resources"][0].update(name="/model.pt"),
    "a file twice": lambda statement: statement["predicate"]["resources"].append(
        statement["predicate"]["resources"][0]
    ),
    "other hash": lambda statement: statement["predicate"]["resources"][0].update(digest="00"),
    "everything ignored": lambda statement: statement["predicate"]["serialization"].update(
        ignore_paths=["."]
    ),
    "shards": lambda statement: statement["predicate"]["serialization"].update(method="shards"),
    "unknown algorithm": lambda statement: statement["predicate"]["serialization"].update(hash_type="md5"),
}


@pytest.mark.parametrize("name", BUNDLE_CHANGES)
def test_a_damaged_bundle_is_refused(signed: Path, name: str) -> None:
    content = json.loads((signed / "model.sig").read_text())
    BUNDLE_CHANGES[name](content)
    with pytest.raises(ModelError, match=BUNDLE_REASONS[name]):
        read_bundle(write(signed / "model.sig", content))


@pytest.mark.parametrize("name", STATEMENT_CHANGES)
def test_an_invalid_statement_is_refused(signed: Path, name: str) -> None:
    content = json.loads((signed / "model.sig").read_text())
    read_bundle(write(signed / "model.sig", with_payload(content, lambda statement: None)))
    content = with_payload(content, STATEMENT_CHANGES[name])
    with pytest.raises(ModelError, match=STATEMENT_REASONS[name]):
        read_bundle(write(signed / "model.sig", content))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"mediaType": 1}', "\udcff", "[" * 100_000])
def test_what_is_no_signature_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.sig"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError) as caught:
        read_bundle(path)
    assert "\n" not in str(caught.value)


def test_a_key_that_occurs_twice_is_refused(signed: Path) -> None:
    path = signed / "model.sig"
    path.write_text(path.read_text().replace("{", '{"dsseEnvelope": {}, ', 1))
    with pytest.raises(ModelError, match="a key occurs twice"):
        read_bundle(path)


def vectors() -> Path:
    folder = os.environ.get(VECTORS)
    if not folder:
        pytest.skip(f"{VECTORS}: folder test-vectors/v1.0 of github.com/ossf/model-signing-spec")
    return Path(folder)


@pytest.mark.slow
def test_all_vectors_of_the_specification_are_judged_correctly() -> None:
    judged = {"valid": 0, "invalid": 0, "invalid-payload": 0}
    for path in vectors().glob("*/*.json"):
        judged[path.parent.name] += 1
        if path.parent.name == "valid":
            assert read_bundle(path).method == path.name.partition(".")[0]
        else:
            with pytest.raises(InputError):
                read_bundle(path)
    assert judged == {"valid": 3, "invalid": 4, "invalid-payload": 1}


@pytest.mark.slow
def test_the_signatures_of_the_valid_vectors_are_genuine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    valid = vectors() / "valid"
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    # The vectors contain no public key, but the certificate was made out to the same one.
    chain = json.loads((valid / "certificate.bundle.json").read_text())["verificationMaterial"]
    leaf, issuer = (
        x509.load_der_x509_certificate(base64.b64decode(entry["rawBytes"]))
        for entry in chain["x509CertificateChain"]["certificates"]
    )
    public, unrelated = tmp_path / "public.pem", tmp_path / "issuer.pem"
    public.write_bytes(
        leaf.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    unrelated.write_bytes(issuer.public_bytes(serialization.Encoding.PEM))
    by_key = read_bundle(valid / "key.bundle.json")
    assert authenticate(by_key, TrustRoot(key=public)).genuine
    by_certificate = read_bundle(valid / "certificate.bundle.json")
    assert not authenticate(by_certificate, TrustRoot(certificates=(unrelated,))).genuine  # not a root
    if root := os.environ.get("FINETUNE_OMS_ROOT"):  # ca-cert.pem of github.com/sigstore/model-transparency
        assert authenticate(by_certificate, TrustRoot(certificates=(Path(root),))).genuine
    by_identity = read_bundle(valid / "sigstore.bundle.json")
    assert authenticate(by_identity, IDENTITY).genuine
    stranger = TrustRoot(identity="somebody@example.org", issuer=IDENTITY.issuer)
    assert not authenticate(by_identity, stranger).genuine
