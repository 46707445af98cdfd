"""Files of a model folder are compared with the hashes in the record beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cards.errors import ModelError
from cards.integrity import check_files, read_record
from cards.record import File, RunRecord


@pytest.fixture
def folder(tmp_path: Path, sparse: RunRecord) -> Path:
    """A run with two files on record, and one that nobody listed."""
    hub = tmp_path / "run" / "huggingface"
    hub.mkdir(parents=True)
    files = []
    for name in ("model.safetensors", "config.json"):
        (hub / name).write_bytes(name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        files.append(File(path=f"huggingface/{name}", sha256=digest, bytes=len(name)))
    (hub / "notes.txt").write_text("mine")
    record = sparse.model_copy(update={"files": files})
    (hub.parent / "record.json").write_text(record.dumps(), encoding="utf-8")
    return hub


NAMES = ["model.safetensors", "config.json", "notes.txt", "absent.bin"]


def test_unchanged_files_pass(folder: Path) -> None:
    check_files(folder, NAMES, read_record(folder))


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_changed_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"other")
    with pytest.raises(ModelError, match=rf"{name}: differs from the file on the model card") as refused:
        check_files(folder, NAMES, read_record(folder))
    assert "\n" not in str(refused.value)


def test_a_copy_of_the_folder_is_compared_with_its_own_record(folder: Path, tmp_path: Path) -> None:
    record = read_record(folder)
    assert record is not None
    copy = folder.rename(tmp_path / "copy")
    (copy / "record.json").write_text(record.dumps(), encoding="utf-8")
    check_files(copy, NAMES, read_record(copy))
    (copy / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"config\.json"):
        check_files(copy, NAMES, read_record(copy))


def test_without_a_record_nothing_is_compared(folder: Path) -> None:
    (folder.parent / "record.json").unlink()
    assert read_record(folder) is None
    check_files(folder, NAMES, None)
