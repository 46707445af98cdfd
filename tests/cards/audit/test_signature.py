"""The audit compares signed hashes without a key, and names who signed if it has one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from signers import make_run, publish, write_key

from cards.audit.claims import Claim
from cards.audit.signature import check
from cards.audit.subject import open_subject
from cards.provenance.credentials import Credentials
from cards.provenance.signing import sign
from cards.provenance.trust import TrustRoot


def claims(folder: Path, trust: TrustRoot | None = None) -> list[Claim]:
    with open_subject(folder, trust=trust) as subject:
        return check(subject)


def verdicts(folder: Path, trust: TrustRoot | None = None) -> list[str]:
    return [claim.verdict for claim in claims(folder, trust)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "author.pem", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def trust(key: Path) -> TrustRoot:
    return TrustRoot(key=key.with_suffix(".pub"))


@pytest.fixture
def signed(run: Path, key: Path) -> Path:
    sign(run, Credentials(key))
    return run


def test_a_model_without_a_signature_cannot_be_decided(run: Path, trust: TrustRoot) -> None:
    (claim,) = claims(run, trust)
    assert claim.verdict == "cannot tell" and "finetune sign" in claim.remedy


def test_every_claim_holds_for_the_key_of_the_author(signed: Path, trust: TrustRoot, tmp_path: Path) -> None:
    assert verdicts(signed, trust) == ["holds"] * 4
    assert verdicts(publish(signed, tmp_path / "published"), trust) == ["holds"] * 12


def test_without_a_key_only_the_signer_cannot_be_decided(signed: Path) -> None:
    assert verdicts(signed) == ["holds", "holds", "holds", "cannot tell"]
    assert "--key" in claims(signed)[-1].remedy


def test_the_key_of_a_stranger_breaks_the_claim(signed: Path, tmp_path: Path) -> None:
    stranger = write_key(tmp_path / "stranger.pem", ec.generate_private_key(ec.SECP256R1()))
    found = claims(signed, TrustRoot(key=stranger.with_suffix(".pub")))
    assert [claim.verdict for claim in found] == ["holds", "holds", "holds", "broken"]
    assert str(tmp_path) not in found[-1].evidence + found[-1].statement


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        (lambda run: (run / "huggingface/README.md").write_text("Dice 0.99"), "huggingface/README.md"),
        (lambda run: (run / "huggingface/model.safetensors").write_bytes(b"other"), "model.safetensors"),
        (lambda run: (run / "record.json").unlink(), "signed but missing: record.json"),
        (lambda run: (run / "huggingface/extra.json").write_text("{}"), "not signed: huggingface/extra.json"),
    ],
    ids=["card", "weights", "record removed", "file added"],
)
def test_a_change_breaks_a_claim_without_any_key(
    signed: Path, change: Callable[[Path], object], evidence: str
) -> None:
    change(signed)
    broken = [claim for claim in claims(signed) if claim.verdict == "broken"]
    assert any(evidence.lower() in claim.evidence.lower() for claim in broken)


def test_a_card_that_the_signature_leaves_out_breaks_a_claim(run: Path, key: Path, trust: TrustRoot) -> None:
    from model_signing import hashing, signing

    left_out = hashing.Config().set_ignored_paths(paths=["model.sig", "huggingface/README.md"])
    signer = signing.Config().set_hashing_config(left_out).use_elliptic_key_signer(private_key=key)
    signer.sign(run, run / "model.sig")
    (run / "huggingface" / "README.md").write_text("Dice 0.99")
    found = claims(run, trust)
    assert [claim.verdict for claim in found] == ["holds", "holds", "broken", "holds"]
    assert "huggingface/README.md" in found[2].evidence


def test_the_signature_of_another_model_breaks_a_claim(
    signed: Path, key: Path, trust: TrustRoot, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "other")
    for path in other.rglob("*"):
        if path.is_file() and path.suffix not in (".json", ".zip"):
            path.write_bytes(b"another model")
    (other / "model.sig").write_bytes((signed / "model.sig").read_bytes())
    assert claims(other, trust)[1].verdict == "broken"


def test_a_damaged_signature_breaks_a_claim_and_nothing_crashes(signed: Path, trust: TrustRoot) -> None:
    (signed / "model.sig").write_text("{}")
    (claim,) = claims(signed, trust)
    assert claim.verdict == "broken" and "\n" not in claim.evidence


def test_a_key_that_cannot_be_read_leaves_the_hashes_compared(signed: Path, tmp_path: Path) -> None:
    found = claims(signed, TrustRoot(key=tmp_path / "absent.pub"))
    assert [claim.verdict for claim in found] == ["holds", "holds", "holds", "cannot tell"]
