"""Exposure: whether the base model was trained or selected on the test images of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from cards.errors import InputError
from cards.record import DataFile, Origin, RunRecord

Exposure = Literal["seen", "selected on", "not seen", "unknown"]


class Documented(NamedTuple):
    """What is published about a base model and the test images of a named data set.

    Attributes:
        exposure: "unknown" if the publication does not say which images were used.
        source: where that is documented.
    """

    exposure: Exposure
    source: str


STARDIST_PAPER = (
    "README of this data set by the authors of the model: its images as trained and tested on in the paper, "
    "https://arxiv.org/abs/1806.03535"
)
STARDIST_MODELS = (
    "list of pretrained models of StarDist: trained on a subset of the 2018 Data Science Bowl, not stated "
    "on which images"
)
CELLPOSE_PAPER = (
    "Stringer et al., Nature Methods 18, 2021: its images of nuclei include the 2018 Data Science Bowl, of "
    "which these are a part"
)

DOCUMENTED: dict[tuple[str, str], dict[str, Documented]] = {
    ("stardist", "2D_paper_dsb2018"): {"dsb2018": Documented("not seen", STARDIST_PAPER)},
    ("stardist", "2D_versatile_fluo"): {"dsb2018": Documented("unknown", STARDIST_MODELS)},
    ("cellpose", "nuclei"): {"dsb2018": Documented("unknown", CELLPOSE_PAPER)},
}
"""By repository and name of a model, then by id of a named data set."""


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
        return _of_run(base, files) if base else Documented("unknown", "")
    published = DOCUMENTED.get((origin.repository, origin.id), {})
    return published.get(data_id or "", Documented("unknown", ""))


def _record_of(checkpoint: Path) -> RunRecord | None:
    """Record of the run that wrote a checkpoint, from its folder or one of the two above it."""
    path = checkpoint.expanduser().resolve()
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
