"""The parts of a CycloneDX ML-BOM for which cyclonedx-python-lib has no classes: `modelCard` and `data`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cards import formatting as words
from cards.people import ORCID_PAGE
from cards.record import RunRecord
from cards.scores import Summary
from cards.statements import task_in_words

SPLITS = ("train", "validation", "test")
PREFIX = "finetune:"
RECORD_DIGEST = f"{PREFIX}run record SHA-256"
"""Name of the property with the hash of the record."""


def model_card(record: RunRecord, data: str, limits: list[str]) -> dict[str, Any]:
    """Describe task, accuracy and limits of a model.

    Args:
        record: the run.
        data: reference of the data in the document.
        limits: known limits, one sentence each.

    Returns:
        Content of `modelCard`. Values of metrics are strings there, with four decimals as on the card.
    """
    card, model = record.card, record.model
    considerations = {
        "useCases": [card.intended_use] if card.intended_use else [],
        "technicalLimitations": limits,
    }
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": task_in_words(record),
            "modelArchitecture": model.architecture.name,
            "datasets": [{"ref": data}],
            "inputs": [{"format": f"2D image with {words.counted(model.channels, 'channel')}"}],
            "outputs": [{"format": f"label image: {model.target.labels}"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(record))},
        "considerations": {key: values for key, values in considerations.items() if values},
        "properties": list(_properties(record)),
    }


def data_contents(record: RunRecord) -> list[dict[str, Any]]:
    """Describe the splits of the data set.

    Args:
        record: the run.

    Returns:
        Content of `data` of the component; one entry for each split with images.
    """
    data = record.data
    return [
        {
            "type": "dataset",
            "name": split,
            "contents": {"properties": _named({"images": images, "split by": data.split_by})},
        }
        for split in SPLITS
        if (images := data.count(split))  # type: ignore[arg-type]
    ]


def _metrics(record: RunRecord) -> Iterator[dict[str, Any]]:
    """Mean and standard deviation of each metric, before and after training; and the time per image."""
    if accuracy := record.accuracy:
        stages = {"before training": accuracy.before, "after training": accuracy.after}
        for when, stage in stages.items():
            if stage is not None:
                where = f"{words.counted(accuracy.images, f'{accuracy.split} image')}, {when}"
                yield from _summaries(record, stage.summary, where)
    for score in record.prompts:
        where = f"{words.counted(len(score.images), 'test image')}, prompt: {score.kind}"
        yield from _mean_and_deviation("IoU", score.after, where)
    if timing := record.timing:
        yield {
            "type": "time per image, median, in seconds",
            "value": f"{timing.median_seconds:.4f}",
            "slice": f"{words.counted(timing.images, 'image')} on {timing.device}",
        }


def _summaries(record: RunRecord, summary: Mapping[str, Summary], where: str) -> Iterator[dict[str, Any]]:
    for metric in record.metrics:
        if metric.name in summary:
            yield from _mean_and_deviation(metric.label, summary[metric.name], where)


def _mean_and_deviation(label: str, values: Summary, where: str) -> Iterator[dict[str, Any]]:
    for _, name, value in values.mean_and_std():
        yield {"type": f"{label}, {name}", "value": f"{value:.4f}", "slice": where}


def _properties(record: RunRecord) -> Iterator[dict[str, str]]:
    training = record.training
    values: dict[str, Any] = {
        RECORD_DIGEST.removeprefix(PREFIX): record.digest(),
        "parameters": record.model.parameters,
        "trained parameters": record.model.trainable,
        "training epochs": training.epochs,
        "training seconds": f"{training.seconds:.0f}",
        "training hardware": training.device or "not measured",
        "energy of training": "not measured",
        "CO2 equivalent of training": "not measured",
    }
    if energy := training.energy:
        values["energy of training"] = f"{energy.kilowatt_hours:.3g} kWh, {energy.source}"
        region = f", {energy.region}" if energy.region else ""
        values["CO2 equivalent of training"] = f"{energy.co2_kilograms:.3g} kg{region}"
    yield from _named(values)
    yield from _named(dict(_people(record)))


def _people(record: RunRecord) -> Iterator[tuple[str, str]]:
    """What CycloneDX has no field for: its contacts have a name, an email address and a telephone number."""
    for number, author in enumerate(record.card.authors, start=1):
        about = {
            "ORCID iD": author.orcid and f"{ORCID_PAGE}{author.orcid}",
            "affiliation": author.affiliation,
            "GitHub account": author.github_user,
        }
        yield from ((f"author {number}: {key}", value) for key, value in about.items() if value)


def _named(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"name": f"{PREFIX}{name}", "value": str(value)} for name, value in values.items()]
