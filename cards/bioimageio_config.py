"""`config.bioimageio` of a description: training, evaluation, timing and memory, from the record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cards import formatting as words
from cards import result_tables, risks, tables, tags
from cards import statements as facts
from cards.base import Spec
from cards.limitations import limitations
from cards.markdown import plain
from cards.record import RunRecord

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import BioimageioConfig


def bioimageio_config(record: RunRecord, tolerance: Sequence[dict[str, Any]] = ()) -> BioimageioConfig:
    """Validate `config_values`.

    Args:
        record: the run.
        tolerance: fields of `ReproducibilityTolerance` for each rule on reproduced outputs.

    Returns:
        The configuration.
    """
    from bioimageio.spec.model import v0_5

    return v0_5.BioimageioConfig(**config_values(record, tolerance))


def config_values(record: RunRecord, tolerance: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Fill all fields for which the record has values. Does not import bioimageio.spec, which takes seconds.

    Args:
        record: the run.
        tolerance: fields of `ReproducibilityTolerance` for each rule on reproduced outputs.

    Returns:
        Fields of `config.bioimageio`; others are absent.
    """
    model, card = record.model, record.card
    filled: dict[str, Any] = {
        "architecture_type": model.architecture.name[:32],
        "architecture_description": f"{_call(model.architecture)}; target {_call(model.target)}, "
        f"{words.counted(model.maps, 'map')}.",
        "modality": tags.modality(card.tags),
        "task": facts.task(record),
        "funded_by": plain(card.funding or "") or None,
        "target_structure": tags.structures(card.tags),
        "out_of_scope_use": plain(risks.out_of_scope(record)),
        "bias_risks_limitations": {
            "known_biases": _bullets(risks.known_biases(record)),
            "risks": _bullets(risks.risks(record)),
            "limitations": _bullets(limitations(record)),
            "recommendations": _bullets(risks.recommendations(record)),
        },
        "model_parameter_count": model.parameters,
        "training": _training(record),
        "inference_time": _inference_time(record),
        "memory_requirements_inference": _memory(record, "inference"),
        "memory_requirements_training": _memory(record, "training"),
        "evaluations": _evaluations(record),
        "environmental_impact": _impact(record),
    }
    return {
        **{key: value for key, value in filled.items() if value not in (None, [])},
        "reproducibility_tolerance": list(tolerance),  # if empty: the tolerance of the format
        "new_version": None,  # none when the package is written
    }


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def _call(part: Spec) -> str:
    """`unet(depth=4)` as on the card, without backticks."""
    return tables.call(part).strip("`")


def _training(record: RunRecord) -> dict[str, Any]:
    how = record.training
    patches = f"patches of {how.patch} × {how.patch} pixels; augmentation: {how.augmentation}"
    return dict(
        training_preprocessing=f"{_call(record.model.normalize)}; {patches}",
        training_epochs=how.epochs,
        training_batch_size=how.batch_size,
        initial_learning_rate=how.learning_rate,
        learning_rate_schedule=how.schedule,
        loss_function=how.loss,
        loss_function_kwargs={},  # the text states the loss in full
        optimizer=how.optimizer,
        optimizer_kwargs={"weight_decay": how.weight_decay},
        regularization=f"weight decay {words.number(how.weight_decay)}",
        training_duration=round(how.seconds / 3600, 4),
    )


def _inference_time(record: RunRecord) -> str | None:
    if (timing := record.timing) is None:
        return None
    split = record.accuracy.split if record.accuracy else "test"
    sizes = facts.sizes([file for file in record.data.files if file.split == split])
    median, most = words.duration(timing.median_seconds), words.duration(timing.p95_seconds)
    return (
        f"{median} (median), {most} (95th percentile) per image of {sizes}, "
        f"over {words.counted(timing.images, 'image')}, on {facts.timed_on(record)}; "
        "warm, batch size 1, from pixels in memory to the label image"
    )


def _memory(record: RunRecord, when: str) -> str | None:
    size = getattr(record.timing, f"peak_memory_{when}_bytes", None)
    if size is None:
        return None
    how = record.training
    if when == "training":
        batch = f"batch size {how.batch_size}, patches of {how.patch} × {how.patch} px"
        return f"{words.memory(size)} peak, {batch}, on {facts.trained_on(record)}"
    return f"{words.memory(size)} peak, on {facts.timed_on(record)}"


def _evaluations(record: RunRecord) -> list[dict[str, Any]]:
    """Mean and standard deviation of each metric on the test images; empty without a source of the data.

    The specification requires the web address of the data set.
    """
    accuracy, source = record.accuracy, record.data.source
    if accuracy is None or source is None:
        return []
    rows = [
        (
            f"{metric.label} {value}",
            f"{long} over images: {metric.definition()}",
            round(number, 4),
        )
        for metric in record.metrics
        if (found := accuracy.after.summary.get(metric.name))
        for value, long, number in found.mean_and_std()
    ]
    before = accuracy.before.summary["dice"] if accuracy.before else None
    summary = (
        f"Dice before: {facts.before_in_words(record) or result_tables.spread(before)}; "
        f"after: {result_tables.spread(accuracy.after.summary.get('dice'))}; change: {facts.change(record)}."
    )
    return [
        dict(
            dataset_id=_clean_id(record.data.id),
            dataset_source=source,
            dataset_role=accuracy.split,
            sample_count=accuracy.images,
            evaluation_factors=["overall"],
            evaluation_factors_long=[f"all {accuracy.split} images"],
            metrics=[name for name, _, _ in rows],
            metrics_long=[meaning for _, meaning, _ in rows],
            results=[[value] for _, _, value in rows],
            results_summary=summary,
        )
    ]


def _clean_id(name: str) -> str:
    """The id of a data set in the characters that BioImage.IO allows."""
    return re.sub(r"[^a-z0-9_\-/.]", "-", name.lower()).strip("/") or "data"


def _impact(record: RunRecord) -> dict[str, Any]:
    """Hardware and hours; CO2, region and cloud provider if they were measured or stated."""
    energy = record.training.energy
    country = record.recipe_section("compute").get("country")
    known = {
        "cloud_provider": energy and energy.provider,
        "compute_region": (energy and energy.region) or country,
        "co2_emitted": energy and float(f"{energy.co2_kilograms:.3g}"),
    }
    hours = round(record.training.seconds / 3600, 4)
    filled = {key: value for key, value in known.items() if value is not None}
    return dict(hardware_type=facts.trained_on(record), hours_used=hours, **filled)
