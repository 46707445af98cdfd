from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest

from cards.errors import InputError
from finetune.pipeline.run_folder import RunFolder
from finetune.recipe.library import find_recipe
from finetune.recipe.reader import write_recipe

RECORD = Path(__file__).parents[2] / "cards" / "golden" / "quick" / "record.json"


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


def finish(path: Path, text: str = "") -> None:
    """A finished run at this path."""
    path.mkdir(parents=True)
    shutil.copy(RECORD, path / "record.json")
    write_recipe(find_recipe("quickstart"), path / "recipe.yaml")
    (path / "notes").write_text(text)


def test_an_existing_run_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path: Path) -> None:
    finish(tmp_path / "a", "old")
    with pytest.raises(InputError, match="--overwrite"):
        RunFolder(tmp_path / "a").check()
    with pytest.raises(ZeroDivisionError), RunFolder(tmp_path / "a", overwrite=True):
        raise ZeroDivisionError
    assert (tmp_path / "a" / "notes").read_text() == "old"
    with RunFolder(tmp_path / "a", overwrite=True) as work:
        (work / "new").touch()
    assert names(tmp_path / "a") == ["new"]
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("missing", ["record.json", "recipe.yaml"])
def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path, missing: str) -> None:
    finish(tmp_path / "a")
    for damage in (lambda path: path.write_text("{}"), Path.unlink):
        damage(tmp_path / "a" / missing)
        with pytest.raises(InputError, match=missing), RunFolder(tmp_path / "a", overwrite=True):
            pass
        assert (tmp_path / "a" / "notes").exists()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "file").touch()
    for name, words in (("link", "is a link, which --overwrite"), ("file", "this is a file")):
        with pytest.raises(InputError, match=words):
            RunFolder(tmp_path / name, overwrite=True).check()
    assert names(tmp_path) == ["a", "file", "link"]


@pytest.mark.parametrize("source", ["a", "a/images", ".", "a/../a"])
def test_a_run_that_contains_or_lies_in_the_data_is_never_replaced(tmp_path: Path, source: str) -> None:
    finish(tmp_path / "a")
    (tmp_path / "a" / "images").mkdir()
    with pytest.raises(InputError, match="which the run reads"):
        RunFolder(tmp_path / "a", overwrite=True, inputs=[tmp_path / source]).check()
    folder = RunFolder(tmp_path / "a", overwrite=True)
    with pytest.raises(InputError, match="which the run reads"), folder:
        folder.protect([tmp_path / "a" / "images" / "1.tif"])
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_users_own_folders_with_such_names_are_left_alone(tmp_path: Path, overwrite: bool) -> None:
    for name in ("a.partial", "a.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").touch()
    for resume in (False, True):
        with (
            pytest.raises(InputError, match=r"a\.partial: .* finetune did not create it"),
            RunFolder(tmp_path / "a", overwrite=overwrite, resume=resume),
        ):
            pass
    (tmp_path / "a.partial").rename(tmp_path / "b")
    finish(tmp_path / "a")
    with RunFolder(tmp_path / "a", overwrite=True) as work:
        write(work)
    assert names(tmp_path) == ["a", "a.old", "b"]


def test_an_unfinished_run_is_deleted_only_once_the_new_one_has_a_checkpoint(tmp_path: Path) -> None:
    def stop(text: str, checkpoint: bool) -> None:
        with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "a", overwrite=True) as work:
            write(work, checkpoint=checkpoint)
            (work / "text").write_text(text)
            raise KeyboardInterrupt

    stop("first", checkpoint=True)
    stop("second", checkpoint=False)
    assert (tmp_path / "a.partial" / "text").read_text() == "first"
    stop("third", checkpoint=True)
    assert (tmp_path / "a.partial" / "text").read_text() == "third"
    assert names(tmp_path) == ["a.partial"]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_an_unfinished_run_survives_a_kill_of_the_run_that_would_replace_it(
    tmp_path: Path, checkpoint: bool
) -> None:
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "a") as work:
        write(work, checkpoint=True)
        (work / "text").write_text("first")
        raise KeyboardInterrupt
    child = os.fork()
    if child == 0:
        work = RunFolder(tmp_path / "a", overwrite=True).__enter__()
        write(work, checkpoint)
        (work / "checkpoints" / ".finetune-0123456789abcdef.partial").touch() if checkpoint else None
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with RunFolder(tmp_path / "a", resume=True) as work:
        assert (work / "text").exists() != checkpoint
        assert names(work / "checkpoints") == ["last.ckpt"]
    assert names(tmp_path) == ["a"]


def test_a_kill_between_the_renames_at_the_end_loses_neither_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "a", overwrite=True) as work:
        write(work, checkpoint=True)
        raise KeyboardInterrupt
    finish(tmp_path / ".finetune-0123456789abcdef.a.old", "old")
    with pytest.raises(InputError, match="exists"), RunFolder(tmp_path / "a"):
        pass
    assert (tmp_path / "a" / "notes").read_text() == "old"
    with RunFolder(tmp_path / "a", resume=True) as work:
        (work / "new").touch()
    assert (tmp_path / "a" / "new").exists()
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_process_is_refused_and_the_first_is_named(tmp_path: Path, resume: bool) -> None:
    with RunFolder(tmp_path / "a") as work:
        write(work, checkpoint=True)
        for overwrite in (False, not resume):
            second = RunFolder(tmp_path / "a", overwrite=overwrite, resume=resume)
            message = rf"another run is writing this folder \(process {os.getpid()} on .+, since "
            with pytest.raises(InputError, match=message):
                second.check()
            with pytest.raises(InputError, match=message), second:
                pass
        with RunFolder(tmp_path / "a", joining=True) as joined:  # a process that shares the training
            assert joined == work
        with RunFolder(tmp_path / "b") as other:
            write(other)
    assert names(tmp_path) == ["a", "b"]


def test_a_folder_that_appears_during_the_run_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="created by something else"), RunFolder(tmp_path / "a") as work:
        write(work, checkpoint=True)
        finish(tmp_path / "a", "other")
    assert (tmp_path / "a" / "notes").read_text() == "other"
    assert (tmp_path / "a.partial" / "record.json").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "/", "sub/..", "x" * 300, "a\0b", "a\nb", "a\x1b[2Jb/c"])
def test_a_path_that_names_no_new_folder_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match=r"--out.*name") as caught:
        RunFolder(Path(name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", "README.md"), r"Input/output error \(README.md\)"),
        (PermissionError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (TimeoutError(), "cannot read or write: TimeoutError; check the disk"),
        (IsADirectoryError(21, "Is a directory", "weights"), r"Is a directory \(weights\)"),
        (MemoryError(), "not enough memory; lower training.batch_size"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "not enough memory"),
    ],
)
def test_errors_of_disk_and_memory_are_one_line_and_the_run_can_be_resumed(
    tmp_path: Path, error: Exception, words: str
) -> None:
    with pytest.raises(InputError, match=words + ".*--resume"), RunFolder(tmp_path / "a") as work:
        write(work, checkpoint=True)
        raise error
    with RunFolder(tmp_path / "a", resume=True) as work:
        assert (work / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize("finished", [True, False])
def test_there_must_be_something_to_resume(tmp_path: Path, finished: bool) -> None:
    if finished:
        finish(tmp_path / "a")
    words = r"resume here \(that run is finished\)$" if finished else "no unfinished run to resume here$"
    with pytest.raises(InputError, match=words):
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
