"""What the table of a benchmark says about a model: name, repository, license, parameters and exposure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.benchmark.results import REPOSITORIES, Stage
from cards.errors import InputError
from cards.paths import expand_user
from cards.record import DataFile, RunRecord
from finetune.benchmark.schema import ModelEntry
from finetune.downloads.records import fetch_record
from finetune.inference.protocol import Predictor
from finetune.loading.published import published_name
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.registry import describe


@dataclass(frozen=True)
class Description:
    """Description of a model for the table.

    Attributes:
        title: name of the model.
        repository: name of its repository.
        stage: "fine-tuned" or "trained" for a run of finetune, "untuned" otherwise.
        license: SPDX id; None if not stated.
        parameters: number of parameters; None if unknown.
        exposure: whether the model was trained or selected on the images.
    """

    title: str
    repository: str
    stage: Stage = "untuned"
    license: str | None = None
    parameters: int | None = None
    exposure: str = "unknown"


def describe_model(entry: ModelEntry, model: Predictor | None, files: Sequence[DataFile]) -> Description:
    """Describe a model of a benchmark, or an ensemble by its members.

    Args:
        entry: its entry in the benchmark file.
        model: the loaded model; None if it could not be loaded.
        files: the images of the benchmark.

    Returns:
        The description.
    """
    if not entry.ensemble:
        return _describe_one(entry, model, files)
    names = [entry.model, *entry.ensemble]
    members = getattr(model, "members", [None] * len(names))
    described = [
        _describe_one(entry.model_copy(update={"model": name, "title": None}), member, files)
        for name, member in zip(names, members, strict=True)
    ]
    counts = [one.parameters for one in described if one.parameters is not None]
    licenses = [one.license for one in described if one.license]
    return Description(
        entry.title or " + ".join(one.title for one in described),
        _joined(one.repository for one in described),
        stage=_common_stage([one.stage for one in described]),
        license=_joined(licenses) if len(licenses) == len(described) else None,
        parameters=sum(counts) if len(counts) == len(described) else None,
        exposure=_joined(one.exposure for one in described),
    )


def _common_stage(stages: Sequence[Stage]) -> Stage:
    if len(set(stages)) == 1:
        return stages[0]
    return "untuned" if "untuned" in stages else "fine-tuned"


def _joined(values: Iterable[str]) -> str:
    """Different values, in order."""
    return "; ".join(dict.fromkeys(values))


def _describe_one(entry: ModelEntry, model: Predictor | None, files: Sequence[DataFile]) -> Description:
    parameters = _parameters(model)
    if record := _record(entry, loaded=model is not None):
        return describe_run(record, files, entry.title)
    if published := published_name(entry.model):
        package = getattr(model, "package", None)
        license = package.description.license if package else None
        if published.repository != "bioimageio":
            license = describe(published.repository, published.name).license
        elif package is None and model is not None:  # a package that finetune wrote
            license = open_package(entry.checkpoint or published.name, published.revision).license
        title = Path(published.name).name if package else published.name
        repository = REPOSITORIES.get(published.repository, published.repository)
        return Description(
            entry.title or title,
            repository,
            license=str(license) if license else None,
            parameters=parameters,
        )
    package = getattr(model, "package", None)
    if package is not None:
        license = str(package.description.license) if package.description.license else None
        title = entry.title or Path(entry.model).stem
        return Description(title, REPOSITORIES["bioimageio"], license=license, parameters=parameters)
    architecture = getattr(model, "architecture", None)
    repository = REPOSITORIES.get(architecture.repository, architecture.repository) if architecture else ""
    return Description(entry.title or Path(entry.model).name, repository, parameters=parameters)


def _record(entry: ModelEntry, loaded: bool) -> RunRecord | None:
    """The record of a model that finetune wrote: in a run, a package or on the Hugging Face Hub."""
    if entry.checkpoint is not None:
        return None
    published = published_name(entry.model)
    source = published.name if published and published.repository == "bioimageio" else entry.model
    if not expand_user(source).exists() and (published or not loaded):
        return None  # the Hub is asked only for what was loaded from there
    with suppress(InputError):
        return fetch_record(source)
    return None


def describe_run(record: RunRecord, files: Sequence[DataFile], title: str | None = None) -> Description:
    """Describe the model of a run.

    Args:
        record: of the run.
        files: the images of the benchmark.
        title: name in the table; the title of the card if None.

    Returns:
        The description; its exposure is measured by comparing pixel hashes.
    """
    repository = record.model.base.repository
    return Description(
        title or record.card.title,
        REPOSITORIES.get(repository, repository),
        stage="trained" if record.model.base.weights == "random" else "fine-tuned",
        license=record.card.license,
        parameters=record.model.parameters,
        exposure=_exposure(record, files),
    )


def _exposure(record: RunRecord, files: Sequence[DataFile]) -> str:
    """How many of the images the run was trained or selected on, by their pixels."""
    measured = {file.image_pixels for file in files}
    for split, word in (("train", "yes"), ("validation", "selected on")):
        seen = measured & {file.image_pixels for file in record.data.files if file.split == split}
        if seen:
            return f"{word}: {len(seen)} of {len(files)} images"
    return "no"


def _parameters(model: Any) -> int | None:
    network = getattr(model, "network", None)
    return sum(parameter.numel() for parameter in network.parameters()) if network is not None else None
