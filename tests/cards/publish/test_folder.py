"""Publishing to a folder: a copy as it would be on the Hub, complete or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from finished_run import write_run

from cards.audit.run import audit
from cards.audit.subject import open_subject
from cards.record import RunRecord


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """A run with files in the format of its repository."""
    from finetune.pipeline.artifacts import write_cards

    run = write_run(tmp_path / "native_run", package=False)
    (run / "native" / "adapter").mkdir(parents=True)
    (run / "native" / "discs.pth").write_bytes(b"weights")
    (run / "native" / "adapter" / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    record = RunRecord.read(run).model_copy(update={"files": []})
    (run / "huggingface" / "README.md").unlink()
    (run / "report.html").unlink()
    write_cards(record, run)
    return run


def test_a_folder_holds_what_the_hub_would_hold(run, publish, publisher, tmp_path):
    result = publish(run, "--to", tmp_path / "out")
    assert result.code == 0
    assert result.out.splitlines()[-1].endswith(f'load with finetune.load("{tmp_path / "out"}")')
    publish(run, "--to", "huggingface", "--repo", "someone/discs")
    assert tree(tmp_path / "out") == publisher.files("someone/discs")


def test_native_files_and_adapters_are_published_beside_the_card_and_audit_clean(native, publish, tmp_path):
    out = tmp_path / "out"
    assert publish(native, "--to", out).code == 0
    assert (out / "native" / "discs.pth").read_bytes() == b"weights"
    assert (out / "native" / "adapter" / "adapter_config.json").is_file()
    with open_subject(out) as subject:
        assert subject.kind == "hub"
        assert [claim for claim in audit(subject) if claim.verdict == "broken"] == []
    (out / "native" / "discs.pth").write_bytes(b"other weights")
    with open_subject(out) as subject:
        broken = [claim for claim in audit(subject) if claim.verdict == "broken"]
    assert any("native/discs.pth" in claim.evidence for claim in broken)


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
    assert publish(tmp_path / "absent", "--to", tmp_path / "out").code == 2
    assert publish(run / "huggingface", "--to", tmp_path / "out").code == 2
    assert not (tmp_path / "out").exists() and not (run / "copy").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(run, publish, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    result = publish(run, "--to", tmp_path / "locked" / "out")
    assert (result.code, len(result.errors)) == (2, 1)
