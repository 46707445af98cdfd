"""Exposure: whether the base model was trained or selected on the test images of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cards.errors import InputError
from cards.paths import expand_user
from cards.record import DataFile, Origin, RunRecord
from finetune.pipeline.published_exposure import Documented, published


def find_exposure(
    origin: Origin, data_id: str | None, files: Sequence[DataFile], checkpoint: Path | None
) -> Documented:
    """Find out whether the base model was trained or selected on the test images.

    A base model that is itself a run of finetune is compared by the pixels of its images. For others, what is
    published counts.

    Args:
        origin: the base model.
        data_id: id of the named data set, if the images are exactly those.
        files: the images of the run.
        checkpoint: `model.checkpoint` of the recipe.

    Returns:
        The exposure and its source; no source if nothing is known.
    """
    if origin.weights == "random":
        return Documented("not seen", "the initial weights were random")
    if checkpoint is not None:
        base = _record_of(checkpoint)
        if base:
            return _of_run(base, files)
        if origin.bioimageio_id is None:  # a file of weights states no name; a package does
            return Documented("unknown", "")
    return published(origin, data_id)


def _record_of(checkpoint: Path) -> RunRecord | None:
    """Record of the run that wrote a checkpoint, from its folder or one of the two above it."""
    path = expand_user(checkpoint).resolve()
    for folder in (path, path.parent, path.parent.parent):
        if (folder / "record.json").is_file():
            try:
                return RunRecord.read(folder)
            except InputError:
                return None
    return None


def _of_run(base: RunRecord, files: Sequence[DataFile]) -> Documented:
    test = {file.image_pixels for file in files if file.split == "test"}
    trained, selected = (
        test & {file.image_pixels for file in base.data.files if file.split == split}
        for split in ("train", "validation")
    )
    of = f"of {len(test)} test images"
    if trained:
        source = f"record of the run {base.name}: {len(trained)} {of} were among its training images"
        return Documented("seen", source)
    if selected and base.training.best_epoch is not None:
        source = f"record of the run {base.name}: {len(selected)} {of} were among its validation images"
        return Documented("selected on", source)
    without = f"record of the run {base.name}: no test image was among its training and validation images"
    if base.model.base.weights == "random":
        return Documented("not seen", without)
    earlier = f"; whether its own base model {base.model.base.id} was trained on them is not known"
    same = test <= {file.image_pixels for file in base.data.files if file.split == "test"}
    if base.leakage and same:
        if base.leakage.base_model_exposure == "not seen":
            return Documented("not seen", without)
        if base.leakage.base_model_exposure != "unknown":
            inherited = f"record of the run {base.name}, about its base model: {base.leakage.exposure_source}"
            return Documented(base.leakage.base_model_exposure, inherited)
    return Documented("unknown", without + earlier)
