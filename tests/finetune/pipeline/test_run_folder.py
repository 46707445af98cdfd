from __future__ import annotations

import errno
from pathlib import Path

import pytest

from cards.errors import InputError
from finetune.pipeline.run_folder import RunFolder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(work: Path, checkpoint: bool = False) -> None:
    (work / "record.json").write_text("{}")
    if checkpoint:
        (work / "checkpoints").mkdir(exist_ok=True)
        (work / "checkpoints" / "last.ckpt").write_text("weights")


def test_the_folder_appears_whole(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "runs" / "a") as work:
        write(work)
        assert not (tmp_path / "runs" / "a").exists()
    assert names(tmp_path / "runs") == ["a"]
    assert (tmp_path / "runs" / "a" / "record.json").exists()


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    for place in (tmp_path / "a", tmp_path / "runs" / "a"):
        with pytest.raises(InputError), RunFolder(place) as work:
            write(work)
            raise InputError("bad")
        assert names(tmp_path) == []


def test_a_run_that_stops_later_can_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "a") as work:
        write(work, checkpoint=True)
        raise KeyboardInterrupt
    with pytest.raises(InputError, match=r"unfinished run; continue with --resume"):
        RunFolder(tmp_path / "a").check()
    with RunFolder(tmp_path / "a", resume=True) as work:
        assert (work / "checkpoints" / "last.ckpt").exists()
    assert names(tmp_path) == ["a"]


def test_an_existing_run_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "a") as work:
        (work / "old").touch()
    with pytest.raises(InputError, match="--overwrite"):
        RunFolder(tmp_path / "a").check()
    with pytest.raises(ZeroDivisionError), RunFolder(tmp_path / "a", overwrite=True):
        raise ZeroDivisionError
    assert (tmp_path / "a" / "old").exists()
    with RunFolder(tmp_path / "a", overwrite=True) as work:
        (work / "new").touch()
    assert names(tmp_path / "a") == ["new"]
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("finished", [True, False])
def test_there_must_be_something_to_resume(tmp_path: Path, finished: bool) -> None:
    if finished:
        (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="finished" if finished else "no unfinished run"):
        RunFolder(tmp_path / "a", resume=True).check()


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="disk is full") as caught, RunFolder(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "--resume" not in str(caught.value)
    with pytest.raises(InputError, match="--resume"), RunFolder(tmp_path / "a") as work:
        write(work, checkpoint=True)
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("PytorchStreamWriter failed writing file") from error


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write here"), RunFolder(tmp_path / "file" / "a"):
        pass
