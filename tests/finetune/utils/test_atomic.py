"""Atomic writes: complete or absent, never partial."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
from pathlib import Path

import pytest
import torch
from full_disk import nearly_full_disk
from safetensors.torch import load_file

from cards.errors import InputError
from finetune.utils.atomic import (
    atomic_file,
    atomic_folder,
    disk_errors,
    is_disk_full,
    replace_folder,
    write_file,
    write_new_files,
    write_safetensors,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_holds_all_parts_and_has_ordinary_permissions(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_file(path, "Zellkörper ", b"1", memoryview(b"2"))
    (tmp_path / "plain").touch()
    assert path.read_text(encoding="utf-8") == "Zellkörper 12"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert names(path.parent) == ["a.txt"]


def test_a_failed_write_leaves_the_previous_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_file(path, b"before")
    with nearly_full_disk(), pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as raised:
        write_file(path, bytes(1_000_000))
    assert is_disk_full(raised.value)
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as partial:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["a.bin"]


def test_tensors_are_written_and_a_full_disk_is_reported_as_such(tmp_path: Path) -> None:
    path, tensors = tmp_path / "a.safetensors", {"a": torch.arange(6.0).reshape(2, 3)}
    assert write_safetensors(path, tensors, {"format": "pt"}) == path.stat().st_size
    assert torch.equal(load_file(path)["a"], tensors["a"])
    with nearly_full_disk(), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        write_safetensors(path, {"a": torch.zeros(10_000)})
    assert torch.equal(load_file(path)["a"], tensors["a"])
    assert names(tmp_path) == ["a.safetensors"]


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "data"
    with atomic_folder(folder, "set CACHE") as new:
        (new / "a").touch()
        (new.parent / "archive.zip").touch()
        assert not folder.exists()
    assert names(folder.parent) == ["data"]
    assert names(folder) == ["a"]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "data", "set CACHE"):
        raise ZeroDivisionError
    with (
        nearly_full_disk(),
        pytest.raises(InputError, match=r"disk is full; free some space, or set CACHE"),
        atomic_folder(tmp_path / "data", "set CACHE") as new,
    ):
        (new / "a").write_bytes(bytes(1_000_000))
    assert names(tmp_path) == []


def test_the_folder_of_a_faster_process_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with atomic_folder(folder, "set CACHE") as new:
        (new / "slow").touch()
        with atomic_folder(folder, "set CACHE") as other:
            (other / "fast").touch()
    assert names(folder) == ["fast"]
    assert names(tmp_path) == ["data"]


def test_a_location_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"file.*: cannot write here \(.+\); set CACHE"),
        atomic_folder(tmp_path / "file" / "data", "set CACHE"),
    ):
        pass


def test_a_folder_replaces_another_and_leaves_a_users_own_old_folder(tmp_path: Path) -> None:
    for name in ("new", "run", "run.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "run")
    assert names(tmp_path) == ["run", "run.old"]
    assert names(tmp_path / "run") == ["new"]
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "missing", tmp_path / "run")
    assert names(tmp_path / "run") == ["new"]


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other"), disk_errors(tmp_path, "try again"):
        raise ValueError("other")
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path, "try again", only_full=True):
        (tmp_path / "missing").read_bytes()


def _write(path: Path) -> None:
    for _ in range(20):
        write_file(path, bytes(100_000))


def test_several_processes_may_write_one_file(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_write, args=(tmp_path / "a",)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "a").read_bytes() == bytes(100_000)
    assert names(tmp_path) == ["a"]


def test_of_several_new_files_a_full_disk_leaves_none(tmp_path: Path) -> None:
    with nearly_full_disk(), pytest.raises(InputError, match="the disk is full"):
        write_new_files(tmp_path, {"small.txt": b"1", "large.txt": bytes(10_000)})
    assert not list(tmp_path.iterdir())
