"""Writing the files of one segmented image: complete under their final names, or not there at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from cards.errors import DataError
from finetune.inference.extras.registry import Segmented, SegmentedParts, parts_writer, writer
from finetune.inference.label_tiff import as_stored, write_label_tiff
from finetune.inference.outputs import OTHER_FOLDER, Outputs, check_replaceable
from finetune.inference.scratch_job import open_job
from finetune.utils.atomic import atomic_file, disk_errors, replace_file, replace_folder, replaced_folders


def write_outputs(result: Segmented, path: Path, extras: Mapping[str, Path], outputs: Outputs) -> None:
    """Write label image and optional outputs of an image, the label image last.

    Args:
        result: the segmented image.
        path: of the label image.
        extras: paths of the optional outputs by kind.
        outputs: format, and which files may be replaced.

    Raises:
        DataError: if a file was created meanwhile that may not be replaced.
        InputError: if the disk is full or cannot be written; no partial file remains.
    """
    for kind, extra in extras.items():
        write_new(extra, partial(writer(kind), result), extra in outputs.replace)
    labels = as_stored(result.labels)
    if outputs.format == "tiff":
        array = labels if result.calibration.planes else labels[0]
        write_new(
            path,
            lambda place: write_label_tiff(array, place, result.name, result.calibration),
            path in outputs.replace,
        )
    else:
        _write_zarr(labels, result, path, replace=path in outputs.replace)


def write_extras_in_parts(parts: SegmentedParts, extras: Mapping[str, Path], outputs: Outputs) -> None:
    """Write the optional outputs of an image that is not kept in memory.

    Args:
        parts: the segmented image.
        extras: their paths by kind.
        outputs: which files may be replaced.

    Raises:
        DataError: if a file was created meanwhile that may not be replaced.
        InputError: if the disk is full or cannot be written; no partial file remains.
    """
    for kind, path in extras.items():
        write_new(path, partial(parts_writer(kind), parts), path in outputs.replace)


def write_new(
    path: Path, write: Callable[[Path], None], replace: bool, ready: Callable[[Path], None] | None = None
) -> None:
    """Write a file atomically, without replacing one that may not be replaced.

    Args:
        path: final name. Its folder is created if it is missing.
        write: creates the file at a temporary path.
        replace: replace an earlier file of finetune, once the new one is complete.
        ready: called with the temporary path of the complete file.

    Raises:
        DataError: if the file exists and may not be replaced.
        InputError: if the disk is full or cannot be written; no partial file remains.
    """
    with disk_errors(path, OTHER_FOLDER), atomic_file(path) as place:
        write(place)
        check_again(path, replace)
        if ready:
            ready(place)


def move_new(work: Path, path: Path, replace: bool) -> None:
    """Move a complete file or folder to its final name.

    Args:
        work: the file or folder, on the same file system.
        path: final name.
        replace: replace an earlier file or folder of finetune.

    Raises:
        DataError: if the path exists and may not be replaced.
        OSError: if it cannot be moved.
    """
    check_again(path, replace)
    if work.is_dir():
        replace_folder(work, path)
        for old in replaced_folders(path):  # of a process that was killed while it replaced the folder
            shutil.rmtree(old, ignore_errors=True)
    else:
        replace_file(work, path)


def _write_zarr(labels: np.ndarray, result: Segmented, path: Path, *, replace: bool) -> None:
    from finetune.inference.label_zarr import write_label_zarr

    array = labels if result.calibration.planes else labels[0]
    with disk_errors(path, OTHER_FOLDER), open_job(path, {"output": path.name}) as job:
        work = job.new(path.name)
        write_label_zarr(array, result.pixels, work, result.name, result.calibration)
        move_new(work, path, replace)
        job.remove()


def check_again(path: Path, replace: bool) -> None:
    """Refuse to replace a file or folder that was created after the paths were checked.

    Args:
        path: about to be written.
        replace: whether an earlier output of finetune may be replaced.

    Raises:
        DataError: if it exists and may not be replaced.
    """
    if os.path.lexists(path):
        check_replaceable(path)
        if not replace:
            raise DataError(f"{path}: exists; {OTHER_FOLDER}")
