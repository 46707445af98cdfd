"""Prediction of a folder of images: one label image per image, whatever happens to the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import DataError
from cards.paths import as_utf8
from finetune.data.channels import Channels, check_selected
from finetune.data.formats.stack import PLANES_REMEDY
from finetune.data.headers import Header, read_header
from finetune.data.images import page_count
from finetune.inference.extras.registry import Segmented, SegmentedParts, check_size
from finetune.inference.journal import Journal
from finetune.inference.outputs import Outputs, clear_leftovers
from finetune.inference.preprocess import check_channels
from finetune.inference.protocol import Predictor
from finetune.inference.scratch_job import clear_job
from finetune.inference.segment import segment_file
from finetune.inference.write import write_extras_in_parts, write_outputs

if TYPE_CHECKING:
    from finetune.inference.cluster import Cluster
    from finetune.inference.stream import StreamOptions
    from finetune.inference.streaming import Progress


@dataclass(frozen=True)
class FolderPrediction:
    """Result of one image.

    Attributes:
        image: path of the image.
        labels: path of the label image that was written; None if the image failed.
        instances: number of instances, of all planes together; None if the image failed. The regions that a
            boundary encloses are its instances.
        error: why the image failed, in one line with its path; None if it did not.
        seconds: time from the file to the label image.
        files: optional outputs by kind.
    """

    image: Path
    labels: Path | None
    instances: int | None
    error: str | None = None
    seconds: float | None = field(default=None, compare=False)
    files: dict[str, Path] = field(default_factory=dict)


def check_headers(outputs: Outputs) -> tuple[dict[Path, Header], dict[Path, str]]:
    """Read the headers of all images.

    Args:
        outputs: the images.

    Returns:
        Headers, and errors of images that cannot be read, each by image.

    Raises:
        DataError: if no image can be read.
    """
    headers: dict[Path, Header] = {}
    errors: dict[Path, str] = {}
    for image in outputs.paths:
        try:
            _check_name(image)
            header = read_header(image, planes=outputs.planes, in_parts=True)
            check_size(list(outputs.extras.get(image, ())), header.height, header.width, image)
            headers[image] = header
        except DataError as error:
            errors[image] = str(error).replace(PLANES_REMEDY, "segment each plane with --planes")
    _refuse_if_all_failed(errors, outputs)
    return headers, errors


def _check_name(image: Path) -> None:
    """Names go into UTF-8 texts: the metadata of the label image, the record and the table."""
    if as_utf8(str(image)) != str(image):
        raise DataError(f"{image}: the name is not valid UTF-8; rename the file")


@dataclass(frozen=True)
class Surroundings:
    """What a prediction reports to, and where it runs.

    Attributes:
        observe: called with each segmented image, or, if it is too large to be kept in memory, its parts.
            Returns JSON values that the journal keeps.
        restore: called with what the journal kept of an image that is skipped.
        progress: called after each part of such an image.
        cluster: a Dask cluster that segments images larger than a tile.
        journal: finished images, which are skipped; None if every image is segmented.
        options: sizes of the parts of a large image.
    """

    observe: Callable[[Segmented | SegmentedParts], Any] | None = None
    restore: Callable[[Any], None] | None = None
    progress: Progress | None = None
    cluster: Cluster | None = None
    journal: Journal | None = None
    options: StreamOptions | None = None


def predict_outputs(
    model: Predictor,
    outputs: Outputs,
    headers: dict[Path, Header],
    errors: dict[Path, str],
    around: Surroundings | None = None,
) -> Iterator[FolderPrediction]:
    """Predict the labels of each image of a plan and write them as soon as they are known.

    An image that cannot be read or does not fit the model has an error instead of labels.

    Args:
        model: the model.
        outputs: images and paths of their label images.
        headers: of the images that can be read.
        errors: why the other images cannot be read, by image.
        around: journal, cluster, and what is called on the way.

    Yields:
        One result per image, in order.

    Raises:
        DataError: if no image fits the model.
        InputError: if the disk is full or cannot be written.
    """
    errors, around = dict(errors), around or Surroundings()
    select: Channels = getattr(model, "select", "auto")
    for image, header in headers.items():
        try:
            if select == "auto":
                check_channels(header.channels, model.channels)
            elif select != "gray":
                check_selected(header.channels, select)
        except DataError as error:
            errors[image] = f"{image}: {error}{_planes_hint(image, model.channels, outputs)}"
    if (found := getattr(model, "target", None)) is not None and getattr(found, "whole", False):
        from finetune.inference.tiling import check_size as check_whole  # it imports torch

        for image, header in headers.items():
            try:
                check_whole(found, header.height, header.width, str(image))
            except DataError as error:
                errors.setdefault(image, str(error))
    from finetune.inference.memory_notes import too_large  # it imports torch

    errors = too_large(model, outputs, headers) | errors
    _refuse_if_all_failed(errors, outputs)
    clear_leftovers(outputs)
    for image in outputs.paths:
        if image in errors:
            yield FolderPrediction(image, None, None, errors[image])
            continue
        result = _finished(image, outputs, around)
        yield result or _predict(model, image, outputs, headers.get(image), around)
    clear_leftovers(outputs)  # those that were too young at the beginning


def _planes_hint(image: Path, channels: int, outputs: Outputs) -> str:
    """What to do with pages that were taken for channels, because the file does not name their axis."""
    try:
        if (
            not outputs.planes
            and page_count(image) > 1
            and read_header(image, planes=True).channels == channels
        ):
            return ", or, if they are planes, segment each with --planes"
    except DataError:  # the image has an error already
        pass
    return ""


def _finished(image: Path, outputs: Outputs, around: Surroundings) -> FolderPrediction | None:
    """Result of an image that the same command finished before it was killed."""
    entry = around.journal.entry(image) if around.journal else None
    if entry is None:
        return None
    if around.restore:
        around.restore(entry["kept"])
    clear_job(outputs.paths[image])  # the command was killed between the label image and the end
    return FolderPrediction(
        image, outputs.paths[image], entry["instances"], seconds=0.0, files=outputs.extras.get(image, {})
    )


def _predict(
    model: Predictor, image: Path, outputs: Outputs, header: Header | None, around: Surroundings
) -> FolderPrediction:
    # These import torch.
    from finetune.inference.large_images import is_large, segment_large
    from finetune.inference.stream import StreamOptions
    from finetune.inference.tiling import TILE

    start = time.perf_counter()
    extras, path = outputs.extras.get(image, {}), outputs.paths[image]
    files = [*extras.values(), path]
    kept: Any = None

    def announce() -> None:
        if around.journal:
            around.journal.announce(image, files)

    def finish(instances: int) -> None:
        for outdated in outputs.outdated.get(image, ()):
            outdated.unlink(missing_ok=True)
        if around.journal:
            around.journal.add(image, instances, files, kept)

    def write_more(parts: SegmentedParts) -> None:
        nonlocal kept
        announce()
        write_extras_in_parts(parts, extras, outputs)
        kept = around.observe(parts) if around.observe else None

    options = around.options or StreamOptions()
    if around.cluster:
        options = replace(options, large=TILE**2)
    try:
        if is_large(model, image, header, outputs, options.large):
            instances = segment_large(
                model,
                image,
                path,
                replace=path in outputs.replace,
                options=options,
                progress=around.progress,
                cluster=around.cluster,
                write_more=write_more,
                finish=finish,
            )
            seconds = time.perf_counter() - start
            return FolderPrediction(image, path, instances, seconds=seconds, files=extras)
        result = segment_file(model, image, planes=outputs.planes, maps="probabilities" in extras)
    except DataError as error:
        return FolderPrediction(image, None, None, str(error), time.perf_counter() - start)
    announce()
    write_outputs(result, path, extras, outputs)
    kept = around.observe(result) if around.observe else None
    instances = int(result.instances.max(axis=(1, 2), initial=0).sum())
    finish(instances)
    seconds = time.perf_counter() - start
    return FolderPrediction(image, path, instances, seconds=seconds, files=extras)


def _refuse_if_all_failed(errors: dict[Path, str], outputs: Outputs) -> None:
    if len(errors) < len(outputs.paths):
        return
    first = next(errors[image] for image in outputs.paths)
    others = f" (and {len(errors) - 1} more images fail)" if len(errors) > 1 else ""
    raise DataError(f"{first}{others}")


def failure_summary(results: list[FolderPrediction]) -> str | None:
    """List the images that failed.

    Args:
        results: of all images.

    Returns:
        One line; None if no image failed.
    """
    failed = [result.image.name for result in results if result.error]
    return f"{len(failed)} of {len(results)} images failed: {', '.join(failed)}" if failed else None
