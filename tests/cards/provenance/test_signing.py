"""A signature covers card, record and weights, shows who made it, and reports every change."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from signers import certificate, write_key

from cards.errors import InputError
from cards.provenance.bundle import read_bundle
from cards.provenance.credentials import Credentials
from cards.provenance.signing import sign
from cards.provenance.trust import TrustRoot
from cards.provenance.verification import verify
from cards.publish.contents import hub_items
from cards.record import File, RunRecord


def problems(folder: Path, trust: TrustRoot, signature: Path | None = None) -> list[str]:
    return [problem for outcome in verify(folder, trust, signature) for problem in outcome.problems]


def test_a_signed_run_verifies_with_the_public_key(signed: Path, trust: TrustRoot) -> None:
    assert problems(signed, trust) == []
    assert problems(signed / "huggingface", trust) == []


def test_the_signature_covers_card_record_weights_and_package(signed: Path) -> None:
    assert set(read_bundle(signed / "model.sig").files) == {
        "record.json",
        "bioimageio/model.zip",
        "native/network.pth",
        "huggingface/README.md",
        "huggingface/record.json",
        "huggingface/model.safetensors",
        "huggingface/config.json",
    }
    package = read_bundle(signed / "huggingface" / "package.sig")
    assert set(package.files) == {"bioimageio.yaml", "weights.pt"}
    assert set(read_bundle(signed / "huggingface" / "native.sig").files) == {"network.pth"}


def test_model_signing_itself_accepts_the_signature(signed: Path, key: Path) -> None:
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(signed), "--signature"]
    command += [str(signed / "model.sig"), "--public_key", str(key.with_suffix(".pub"))]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def test_the_published_folder_verifies_with_its_unpacked_package(
    signed: Path, published: Callable[[], Path], trust: TrustRoot
) -> None:
    folder = published()
    assert len(verify(folder, trust)) == 3
    assert problems(folder, trust) == []
    (folder / "package" / "weights.pt").write_bytes(b"other")
    assert problems(folder, trust) == ["changed after signing: weights.pt"]
    (folder / "native" / "network.pth").unlink()
    assert "signed but missing: network.pth" in problems(folder, trust)


def test_a_package_without_its_signature_is_not_accepted(
    signed: Path, published: Callable[[], Path], trust: TrustRoot
) -> None:
    folder = published()
    (folder / "package.sig").unlink()
    (problem,) = problems(folder, trust)
    assert "package/bioimageio.yaml" in problem and "package/weights.pt" in problem


def test_an_unpacked_package_verifies_with_the_signature_beside_it(
    signed: Path, trust: TrustRoot, tmp_path: Path
) -> None:
    shutil.unpack_archive(signed / "bioimageio" / "model.zip", tmp_path / "unpacked")
    signature = signed / "huggingface" / "package.sig"
    assert problems(tmp_path / "unpacked", trust, signature) == []
    (tmp_path / "unpacked" / "rdf.yaml").write_text("name: other")
    assert problems(tmp_path / "unpacked", trust, signature) == ["changed after signing: bioimageio.yaml"]


def test_what_finetune_publish_writes_verifies(signed: Path, trust: TrustRoot, tmp_path: Path) -> None:
    record = RunRecord.read(signed)
    native = File(path="native/network.pth", sha256="0" * 64, bytes=7)
    (tmp_path / "scratch").mkdir()
    items = hub_items(signed, record.model_copy(update={"files": [native]}), tmp_path / "scratch")
    for item in items:
        (tmp_path / "hub" / item.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.source, tmp_path / "hub" / item.path)
    assert len(verify(tmp_path / "hub", trust)) == 3
    assert problems(tmp_path / "hub", trust) == []


def test_the_signature_of_the_package_does_not_replace_that_of_the_model(
    signed: Path, published: Callable[[], Path], trust: TrustRoot
) -> None:
    folder = published()
    (folder / "model.sig").unlink()
    with pytest.raises(InputError, match="no model.sig"):
        verify(folder, trust)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: (run / "huggingface/README.md").write_text("better"), "changed after signing"),
        (lambda run: (run / "huggingface/model.safetensors").unlink(), "signed but missing"),
        (lambda run: (run / "notes.txt").write_text("new"), "not signed: notes.txt"),
        (lambda run: (run / "other.pt").write_bytes(b"new"), "other.pt"),
    ],
    ids=["changed", "removed", "added", "weights added"],
)
def test_every_change_after_signing_is_named(
    signed: Path, trust: TrustRoot, change: Callable[[Path], object], words: str
) -> None:
    change(signed)
    assert any(words in problem for problem in problems(signed, trust))


def test_logs_checkpoints_and_later_descriptions_may_change(signed: Path, trust: TrustRoot) -> None:
    (signed / "logs" / "metrics.csv").write_text("more\n")
    (signed / "checkpoints" / "last.ckpt").unlink()
    (signed / "model.cdx.json").write_text("{}")
    (signed / ".DS_Store").write_bytes(b"")
    assert problems(signed, trust) == []


def test_a_signature_that_leaves_out_the_card_is_not_accepted(run: Path, key: Path, trust: TrustRoot) -> None:
    from model_signing import hashing, signing

    left_out = hashing.Config().set_ignored_paths(paths=["model.sig", "huggingface/README.md", "logs"])
    config = signing.Config().set_hashing_config(left_out).use_elliptic_key_signer(private_key=key)
    config.sign(run, run / "model.sig")
    (run / "huggingface" / "README.md").write_text("better")
    found = problems(run, trust)
    assert found == ["left out by the signature, which protects nothing then: huggingface/README.md"]


def test_the_signature_of_another_folder_is_not_accepted(
    signed: Path, trust: TrustRoot, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(signed, other)
    (other / "huggingface" / "model.safetensors").write_bytes(b"other weights")
    assert problems(other, trust) == ["changed after signing: huggingface/model.safetensors"]


def test_another_key_is_not_accepted(signed: Path, tmp_path: Path) -> None:
    write_key(tmp_path / "stranger.pem", ec.generate_private_key(ec.SECP256R1()))
    (problem,) = problems(signed, TrustRoot(key=tmp_path / "stranger.pub"))
    assert problem.startswith("not signed with key stranger.pub")


def test_a_statement_that_was_changed_is_not_accepted(signed: Path, trust: TrustRoot) -> None:
    import base64
    import json

    path = signed / "model.sig"
    content = json.loads(path.read_text())
    payload = base64.b64decode(content["dsseEnvelope"]["payload"]).replace(b'"run"', b'"rum"')
    content["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    path.write_text(json.dumps(content))
    (problem,) = problems(signed, trust)
    assert "the signature is not valid" in problem


def test_a_certificate_is_accepted_if_its_authority_is_trusted(
    run: Path, key: Path, authority: Callable, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    root, issuing = authority("laboratory")
    leaf = tmp_path / "author.crt"
    leaf.write_bytes(
        certificate("author", load_pem_private_key(key.read_bytes(), None), ("laboratory", issuing), False)
    )
    sign(run, Credentials(key, leaf, (root,)))
    assert problems(run, TrustRoot(certificates=(root,))) == []
    stranger, _ = authority("stranger")
    (problem,) = problems(run, TrustRoot(certificates=(stranger,)))
    assert problem.startswith("not signed with a certificate issued by stranger.crt")
    (problem,) = problems(run, TrustRoot(key=key.with_suffix(".pub")))
    assert problem == "signed with a certificate; verify it with --certificate FILE"


def test_an_encrypted_key_asks_for_its_password(run: Path, tmp_path: Path, trust: TrustRoot) -> None:
    path = write_key(tmp_path / "secret.pem", ec.generate_private_key(ec.SECP521R1()), "open sesame")
    asked: list[str] = []
    with pytest.raises(InputError, match="check the password") as caught:
        sign(run, Credentials(path, password=lambda name: asked.append(name) or "wrong password"))
    assert asked == ["secret.pem"] and "wrong password" not in str(caught.value)
    with pytest.raises(InputError, match="check the password"):
        sign(run, Credentials(path, password=lambda name: ""))
    sign(run, Credentials(path, password=lambda name: "open sesame"))
    assert problems(run, TrustRoot(key=path.with_suffix(".pub"))) == []


def test_an_earlier_signature_is_replaced_on_request_only(signed: Path, key: Path, trust: TrustRoot) -> None:
    before = (signed / "model.sig").read_bytes()
    with pytest.raises(InputError, match="--overwrite"):
        sign(signed, Credentials(key))
    assert (signed / "model.sig").read_bytes() == before
    (signed / "report.html").write_text("new")
    sign(signed, Credentials(key), overwrite=True)
    assert problems(signed, trust) == []


def test_a_key_of_another_kind_is_one_line(run: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    path = tmp_path / "rsa.pem"
    path.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(InputError, match="elliptic-curve key"):
        sign(run, Credentials(path))
    path.write_text("nothing")
    with pytest.raises(InputError, match="BEGIN PRIVATE KEY"):
        sign(run, Credentials(path))
    assert not list(run.rglob("*.sig"))


def test_a_link_is_not_signed(run: Path, key: Path, tmp_path: Path) -> None:
    (run / "linked.txt").symlink_to(tmp_path)
    with pytest.raises(InputError, match="symlink"):
        sign(run, Credentials(key))
    assert not (run / "model.sig").exists()


def test_the_signature_contains_no_local_path(signed: Path, tmp_path: Path) -> None:
    for path in signed.rglob("*.sig"):
        assert str(tmp_path).encode() not in read_bundle(path).payload + path.read_bytes()
