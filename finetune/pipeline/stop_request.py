"""A request to a run in progress: end training after the current epoch, then evaluate and export as usual."""

from __future__ import annotations

from pathlib import Path

from cards.errors import InputError
from finetune.pipeline.destination import run_folder_of
from finetune.pipeline.start_state import is_marked
from finetune.training.run_files import FINISHED, STOP
from finetune.utils.atomic import PREFIX, disk_errors, write_file
from finetune.utils.lock import FileLock
from finetune.utils.unfinished import unfinished_folder


def request_stop(run: Path) -> None:
    """Ask a run to end training after the current epoch. The run writes its record and exports as usual.

    Args:
        run: the run folder, or the folder of the unfinished run, `<name>.partial`.

    Raises:
        InputError: if no process writes this run, its training has ended, or the folder cannot be written.
    """
    run = run.absolute()
    if run.name in ("", ".", ".."):
        run = run.resolve()
    if not run.name:
        raise InputError(f"{run}: not a run folder")
    path = run_folder_of(run)
    work = unfinished_folder(path)
    if not _is_written(work):
        done = " (it is finished)" if (path / "record.json").is_file() else ""
        raise InputError(f"{path}: no run is in progress here{done}")
    if not is_training(work):
        raise InputError(f"{path}: training has ended already; the model is being evaluated and exported")
    with disk_errors(work, "end the run with Ctrl-C, and continue it with --resume"):
        write_file(work / STOP)


def is_training(work: Path) -> bool:
    """Whether a process is training an unfinished run, or preparing to train it.

    Args:
        work: the folder of the unfinished run, `<name>.partial`.

    Returns:
        False if no process holds the lock of the run, or its training has ended.
    """
    return _is_written(work) and not (work / "checkpoints" / FINISHED).exists()


def stop_requested(work: Path) -> bool:
    """Whether an unfinished run has been asked to end training.

    Args:
        work: the folder of the unfinished run.

    Returns:
        True if so.
    """
    return (work / STOP).exists()


def _is_written(work: Path) -> bool:
    if not is_marked(work):
        return False
    name = run_folder_of(work).name
    return FileLock(work.with_name(f"{PREFIX}{name}.lock")).holder() is not None
