"""Publishing to a folder: a copy as it would be on the Hub, complete or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_run import write_run
from publish_faults import command

from cards.audit.run import audit
from cards.audit.subject import open_subject


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """A run with files in the format of its repository."""
    files = {"preprocessor_config.json": b"{}", "more/notes.txt": b"notes"}
    return write_run(tmp_path / "native_run", native=files)


def test_a_folder_holds_what_the_hub_would_hold(run, publish, publisher, tmp_path):
    result = publish(run, "--to", tmp_path / "out")
    assert result.code == 0
    assert result.out.splitlines()[-1].endswith(f'load with finetune.load("{tmp_path / "out"}")')
    publish(run, "--to", "huggingface", "--repo", "someone/discs")
    assert tree(tmp_path / "out") == publisher.files("someone/discs")


def test_native_files_are_published_beside_the_card_and_audit_clean(native, publish, tmp_path):
    out = tmp_path / "out"
    assert publish(native, "--to", out).code == 0
    assert (out / "native" / "preprocessor_config.json").read_bytes() == b"{}"
    assert (out / "native" / "more" / "notes.txt").is_file()
    with open_subject(out) as subject:
        assert subject.kind == "hub"
        assert [claim for claim in audit(subject) if claim.verdict == "broken"] == []
    (out / "native" / "preprocessor_config.json").write_bytes(b"[]")
    with open_subject(out) as subject:
        broken = [claim for claim in audit(subject) if claim.verdict == "broken"]
    assert any("native/preprocessor_config.json" in claim.evidence for claim in broken)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    from cryptography.hazmat.primitives.asymmetric import ec
    from signers import write_key

    return write_key(tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize("package", [True, False])
def test_the_signatures_of_a_run_hold_where_it_is_published(tmp_path, publish, key, package):
    pytest.importorskip("model_signing")
    run = write_run(tmp_path / "signed", package=package, native={"preprocessor_config.json": b"{}"})
    assert command("sign", run, "--key", key).code == 0
    out, public = tmp_path / "out", key.with_suffix(".pub")
    assert publish(run, "--to", out).code == 0
    verified = command("verify", out, "--key", public)
    assert verified.code == 0, verified.out
    assert command("audit", out, "--key", public).code == 3  # nothing is broken; no images were given
    (out / "native" / "preprocessor_config.json").write_bytes(b"[]")
    verified = command("verify", out, "--key", public)
    assert (verified.code, "preprocessor_config.json" in verified.out) == (1, True)


@pytest.mark.parametrize("kept", [{"notes.txt": "mine"}, {}])
def test_an_existing_folder_is_left_as_it_is(run, publish, tmp_path, kept):
    out = tmp_path / "out"
    out.mkdir()
    for name, text in kept.items():
        (out / name).write_text(text)
    result = publish(run, "--to", out)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "exists with other content" in result.errors[0]
    assert tree(out) == {name: text.encode() for name, text in kept.items()}


def test_a_second_call_finds_the_same_content_and_a_third_run_is_refused(run, publish, tmp_path):
    first, second = (publish(run, "--to", tmp_path / "out") for _ in range(2))
    assert (first.code, first.out) == (second.code, second.out) == (0, first.out)
    (tmp_path / "out" / "README.md").write_text("edited")
    assert publish(run, "--to", tmp_path / "out").code == 2
    assert (tmp_path / "out" / "README.md").read_text() == "edited"


def test_options_of_repositories_and_folders_inside_the_run_are_refused(run, publish, tmp_path):
    result = publish(run, "--to", tmp_path / "out", "--repo", "a/b", "--private")
    assert (result.code, "--repo, --private" in result.err) == (2, True)
    assert publish(run, "--to", run / "copy").code == 2
    assert publish(run, "--to", "huggingfaces").err.startswith("finetune: --to huggingfaces: did you mean")
    for other in ("zenodo", "hf", "https://example.org/x"):
        result = publish(run, "--to", other)
        assert result.code == 2
        assert f"--to {other}: unknown; give huggingface, bioimageio or a folder" in result.err
    assert publish(tmp_path / "absent", "--to", tmp_path / "out").code == 2
    assert publish(run / "huggingface", "--to", tmp_path / "out").code == 2
    assert not (tmp_path / "out").exists() and not (run / "copy").exists()


def test_a_folder_that_cannot_be_written_is_one_line(run, publish, tmp_path):
    (tmp_path / "file").write_text("no folder")
    result = publish(run, "--to", tmp_path / "file" / "out")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "cannot be written (Not a directory); nothing was published" in result.errors[0]
