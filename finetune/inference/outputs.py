"""Where the label images of a prediction go: checked before the first write.

Predictions only ever replace files that finetune wrote. They are recognized by what other programs overwrite
when they save a file, such as the TIFF tag Software: a label image that was corrected by hand is kept.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cards.errors import DataError
from cards.formatting import counted
from finetune.data.layouts import first_few, stem
from finetune.inference.extras.registry import EXTRAS, TABLE, TABLE_FILE
from finetune.inference.inputs import find_images
from finetune.inference.journal import Journal
from finetune.inference.markers import CARD_FILE, RECORD_FILE, is_ours
from finetune.utils.atomic import PREFIX
from finetune.utils.lock import try_lock

LabelFormat = Literal["tiff", "ome-zarr"]

LEFTOVER = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}\.partial")
"""Name of a label image that is being written, or that a killed process left."""

LEFTOVER_SECONDS = 2  # age: a file is locked a moment after it is created, and renamed a moment after that

OTHER_FOLDER = "choose another folder with --out"


@dataclass(frozen=True)
class Outputs:
    """Images to segment and paths of what is written for each.

    Attributes:
        paths: path of the label image by image, in the order of the inputs.
        replace: earlier files of finetune that may be replaced.
        notes: one line per kind of file that lies among the images and is left out.
        folder: folder of the label images.
        extras: paths of the optional outputs by image, each by its kind.
        format: format of the label images.
        planes: whether each plane of a stack is segmented.
        overwrite: whether earlier files of finetune may be replaced.
        table: path of the table of measurements; None if it is not written.
        outdated: optional outputs of earlier predictions by image, which do not fit its new label image.
    """

    paths: dict[Path, Path]
    replace: frozenset[Path]
    notes: list[str]
    folder: Path = Path()
    extras: dict[Path, dict[str, Path]] = field(default_factory=dict)
    format: LabelFormat = "tiff"
    planes: bool = False
    overwrite: bool = False
    table: Path | None = None
    outdated: dict[Path, list[Path]] = field(default_factory=dict)


def plan_outputs(
    images: Path | str | Sequence[Path | str],
    out: Path,
    *,
    overwrite: bool = False,
    label_format: LabelFormat = "tiff",
    save: Sequence[str] = (),
    planes: bool = False,
    card: bool = False,
) -> Outputs:
    """Pair each image with the path of its label image, `<name of the image>.tif` or `.ome.zarr`.

    Optional outputs go to subfolders, so that the folder holds label images only: `overlays/<name>.png`.

    Args:
        images: images, folders of images or patterns; see `find_images`.
        out: folder of the label images.
        overwrite: replace files that finetune wrote earlier, and no other file.
        label_format: "tiff" or "ome-zarr".
        save: kinds of optional outputs, keys of `EXTRAS`, and `TABLE`.
        planes: segment each plane of a stack; label images and pictures are stacks, too.
        card: whether a card of the models is written.

    Returns:
        The images, their outputs, and what is left out.

    Raises:
        DataError: if there are no images, two images would get the same file, the folder cannot be written,
            or a file would replace one that finetune did not write.
    """
    files, notes = find_images(images)
    paths = _paths(files, out, ".tif" if label_format == "tiff" else ".ome.zarr")
    extras = {image: _extra_paths(image, out, save, planes) for image in files}
    _check_folder(files, out)
    _check_distinct(extras)
    if os.path.lexists(out / RECORD_FILE):  # a record is continued, even without --overwrite
        check_replaceable(out / RECORD_FILE)
    # An earlier table is continued, as the record is, so that it always describes the label images beside it.
    # One that was edited is refused below, like an edited label image: rows would be missing from it.
    known = os.path.lexists(out / RECORD_FILE) and os.path.lexists(out / TABLE_FILE)
    table = out / TABLE_FILE if TABLE in save or known or is_ours(out / TABLE_FILE) else None
    common = [path for path in (table, out / CARD_FILE if card else None) if path]
    planned = [*paths.values(), *(path for kinds in extras.values() for path in kinds.values()), *common]
    existing = [path for path in planned if os.path.lexists(path)]
    for path in existing:
        check_replaceable(path)
    journal = Journal(out)  # of a command that was killed: repeated, it skips what is finished
    finished = journal.files() | (set(common) if journal.exists else set())
    refused = [path for path in existing if path not in finished | {table}]
    if refused and not overwrite:
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise DataError(
            f"{refused[0]}{more}: exists; replace earlier label images with --overwrite, or {OTHER_FOLDER}"
        )
    outdated = _outdated(paths, extras, out) if overwrite else {}
    if deleted := [path.relative_to(out).as_posix() for files in outdated.values() for path in files]:
        notes.append(
            f"{counted(len(deleted), 'file')} of earlier label images will be deleted: {first_few(deleted)}"
        )
    return Outputs(
        paths, frozenset(existing), notes, out, extras, label_format, planes, overwrite, table, outdated
    )


def parse_format(text: str) -> LabelFormat:
    """Check the name of a format of label images.

    Args:
        text: the name.

    Returns:
        "tiff" or "ome-zarr".

    Raises:
        InputError: if there is no such format, or a package that writes it is missing.
    """
    if text == "tiff":
        return "tiff"
    if text != "ome-zarr":
        raise DataError(f"--format: there is no format {text}; choose tiff or ome-zarr")
    from finetune.inference.label_zarr import require_zarr

    require_zarr()
    return "ome-zarr"


def check_replaceable(path: Path) -> None:
    """Refuse to replace anything but a file that finetune wrote as the output of a prediction.

    Args:
        path: an existing file, folder or link.

    Raises:
        DataError: if it is a link, or a file or folder that finetune did not write.
    """
    if path.is_symlink():
        raise DataError(f"{path}: is a link, which is never written through; delete it, or {OTHER_FOLDER}")
    if not is_ours(path):
        kind = "label image" if path.suffix in {".tif", ".zarr"} else "file"
        raise DataError(f"{path}: exists and is no {kind} that finetune wrote; {OTHER_FOLDER}")


def clear_leftovers(outputs: Outputs) -> None:
    """Delete unfinished files of killed processes from the folders of the outputs.

    Files that another process is writing are locked, and are kept.

    Args:
        outputs: what is written.
    """
    extras = (path for kinds in outputs.extras.values() for path in kinds.values())
    for folder in {outputs.folder, *(path.parent for path in (*outputs.paths.values(), *extras))}:
        for path in folder.glob(f"{PREFIX}*.partial"):
            with suppress(OSError):  # another process may delete it, too
                age = time.time() - path.lstat().st_mtime
                if not LEFTOVER.fullmatch(path.name) or path.is_symlink() or age < LEFTOVER_SECONDS:
                    continue
                with path.open("r+b") as file:
                    if try_lock(file.fileno()):
                        path.unlink()


def _paths(files: list[Path], out: Path, ending: str) -> dict[Path, Path]:
    """Output path of each image; no two are the same, and none is an image."""
    originals, sources = {Path(os.path.realpath(image)) for image in files}, dict[Path, Path]()
    for image in files:
        path = out / f"{image.stem if ending == '.tif' else stem(image)}{ending}"
        if path in sources:
            raise DataError(
                f"{sources[path]} and {image}: both label images would be {path}; rename one of the images"
            )
        if _real(path) in originals:
            raise DataError(f"{image}: its label image would replace the image {path}; {OTHER_FOLDER}")
        sources[path] = image
    return {image: path for path, image in sources.items()}


def _extra_paths(image: Path, out: Path, save: Iterable[str], planes: bool) -> dict[str, Path]:
    kinds = {kind: EXTRAS[kind] for kind in save if kind != TABLE}
    return {
        kind: out / extra.folder / f"{stem(image)}{extra.stack_ending if planes else extra.ending}"
        for kind, extra in kinds.items()
    }


def _outdated(
    paths: dict[Path, Path], extras: dict[Path, dict[str, Path]], out: Path
) -> dict[Path, list[Path]]:
    """Files of earlier predictions that describe label images which will be replaced."""
    outdated = {}
    for image, path in paths.items():
        if not path.exists():
            continue
        kept = {path, *extras[image].values()}
        earlier = {
            file for planes in (False, True) for file in _extra_paths(image, out, EXTRAS, planes).values()
        }
        if found := [file for file in sorted(earlier - kept) if is_ours(file)]:
            outdated[image] = found
    return outdated


def _check_distinct(extras: dict[Path, dict[str, Path]]) -> None:
    """Refuse two images whose names differ in nothing but `.ome`."""
    sources: dict[Path, Path] = {}
    for image, kinds in extras.items():
        for path in kinds.values():
            if (first := sources.setdefault(path, image)) != image:
                raise DataError(f"{first} and {image}: both would get {path}; rename one of the images")


def _check_folder(files: list[Path], out: Path) -> None:
    """Refuse a folder that holds the images, is a file, or cannot be written."""
    if _real(out) in {Path(os.path.realpath(image.parent)) for image in files}:
        raise DataError(
            f"{out}: is the folder of the images, where label images would be taken for images; "
            f"{OTHER_FOLDER}"
        )
    place = next(place for place in (out, *out.absolute().parents) if os.path.lexists(place))
    if not place.is_dir():
        raise DataError(f"{place}: is not a folder; {OTHER_FOLDER}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DataError(f"{out}: cannot write here (no permission, or a read-only disk); {OTHER_FOLDER}")


def _real(path: Path) -> Path:
    """The path without links; a loop of links is reported."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: Python before 3.13
        raise DataError(f"{path}: is a loop of links; {OTHER_FOLDER}") from error
