"""Build the record of a run from its plan, its training history and its measurements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from cards import record
from cards.base import LOCAL_PATHS, Spec, TaskName
from cards.evidence import Energy, Leakage
from cards.fingerprint import sha256_file
from cards.paths import expand_user
from cards.scores import Accuracy
from cards.training import Epoch, Training
from finetune.adapters import describe as describe_adapt
from finetune.evaluation.evaluate import Measured, timing
from finetune.evaluation.plausibility import warn_about_instances
from finetune.metrics.registry import describe_metrics
from finetune.metrics.summary import paired_change, summarize
from finetune.pipeline.exposure import find_exposure
from finetune.pipeline.plan import Plan
from finetune.pipeline.selections import find_selections
from finetune.recipe.schema import Recipe
from finetune.targets.prompt_options import Prompts
from finetune.targets.registry import Target
from finetune.training.checkpoints import PREVIOUS
from finetune.training.history import History
from finetune.training.optimizer import OPTIMIZER
from finetune.utils.atomic import PREFIX


def build_record(
    task: TaskName,
    plan: Plan[Any],
    history: History,
    before: Measured | None,
    after: Measured | None,
    training_peak_bytes: int | None,
    labeled_by: str | None = None,
) -> record.RunRecord:
    """Build the record of a run; exports and files follow once they are written.

    Args:
        task: the task of the run.
        plan: the resolved recipe.
        history: the training history.
        before: scores of the test images before training; None if not measured.
        after: scores of the test images after training; None if not measured.
        training_peak_bytes: peak memory of training; None if not measured.
        labeled_by: the generator that labeled the test images, if it was not the model alone.

    Returns:
        The record.
    """
    recipe, device, captured = plan.recipe, plan.model.device, plan.inputs.environment
    warnings = [*plan.warnings, *_warn_about_results(history, before, after, labeled_by)]
    trained_on = torch.cuda.get_device_name(device) if device.type == "cuda" else captured.cpu
    times = timing(after, trained_on) if after else None
    if times:
        times.peak_memory_training_bytes = training_peak_bytes
    return record.RunRecord(
        name=recipe.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        finetune_version=version("finetune"),
        task=task,
        recipe=without_local_paths(recipe),
        # The trained model inherits the license of the base model, unless the author states one.
        card=recipe.card.model_copy(update={"license": recipe.card.license or plan.origin.license}),
        model=_model(plan),
        data=_data(plan),
        training=_training(plan, history, trained_on),
        metrics=describe_metrics(),
        accuracy=_accuracy(plan, before, after, labeled_by),
        timing=times,
        inference=plan.inference,
        leakage=_leakage(plan),
        environment=captured,
        warnings=warnings,
    )


def written_files(folder: Path) -> list[record.File]:
    """List all files of a run folder with their hashes, except for the record, the logs and temporary files.

    Args:
        folder: the run folder.

    Returns:
        Files, sorted by path.
    """
    files = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # Loggers still write to their files.
        if not path.is_file() or path.name == "record.json" or "logs" in name.split("/"):
            continue
        if path.name.startswith(PREFIX) or path.name.endswith(PREVIOUS):
            continue
        files.append(record.File(path=name, sha256=sha256_file(path), bytes=path.stat().st_size))
    return files


def without_local_paths(recipe: Recipe) -> dict[str, Any]:
    """Convert the recipe for the record and reduce local paths to their last part.

    Args:
        recipe: the resolved recipe.

    Returns:
        The content of the recipe, as JSON types.
    """
    content = recipe.model_dump(mode="json")
    for section, key in LOCAL_PATHS:
        if path := content[section][key]:
            content[section][key] = Path(path).name
    model = content["model"]
    # The name may be the path of a package.
    if model["repository"] == "bioimageio" and expand_user(model["name"]).exists():
        model["name"] = Path(model["name"]).name
    return content


def _warn_about_results(
    history: History, before: Measured | None, after: Measured | None, labeled_by: str | None
) -> list[str]:
    warnings = []
    if history.empty_validation:
        warnings.append(
            "the model predicts background for all validation images: train longer, "
            "or check that data.labels describes the masks"
        )
    if after and not warnings:  # otherwise the test images show the same
        warnings += warn_about_instances(after.counts)
    if before and after:
        dice_before, dice_after = (
            sum(score.metrics["dice"] for score in stage.scores) / len(stage.scores)
            for stage in (before, after)
        )
        if dice_after < dice_before:
            without = "without prompts, " if labeled_by else ""
            warnings.append(
                f"{without}the fine-tuned model is worse than its base model: mean Dice {dice_after:.4f}, "
                f"before {dice_before:.4f}"
            )
    return warnings


def _model(plan: Plan[Any]) -> record.Model:
    model = plan.model
    section = plan.recipe.model
    config = model.config()
    return record.Model(
        base=plan.origin,
        architecture=config["architecture"],
        target=describe_target(model.target, plan.auto_options),
        normalize=Spec(name=model.normalize.name, options=model.normalize.options()),
        channels=model.channels,
        maps=model.target.channels,
        divisor=model.divisor,
        parameters=plan.parameters.total,
        trainable=plan.parameters.trainable,
        adapt=describe_adapt(section.adapt, section.adapt_options),
    )


def describe_target(target: Target | Prompts, selected: Sequence[str] = ()) -> record.TargetSpec:
    """Everything that a card states about a target.

    Args:
        target: of the model.
        selected: names of the options whose values were selected on the validation images.

    Returns:
        Name, options and output. Prompts predict masks, not maps: they have no names and no package.
    """
    return record.TargetSpec(
        name=target.name,
        options=target.options(),
        labels=target.labels,
        map_names=list(getattr(target, "map_names", ())),
        exports_labels=getattr(target, "exports_labels", False),
        exported_axes=getattr(target, "exported_axes", None),
        selected_on_validation=list(selected),
    )


def _data(plan: Plan[Any]) -> record.Data:
    section, inputs = plan.recipe.data, plan.inputs
    named = inputs.named
    if named is None:
        place = section.csv.with_suffix("") if section.csv else section.root
        described: dict[str, Any] = {"id": place.resolve().name if place else str(section.name)}
    else:
        described = {
            "id": named.id,
            "license": named.license,
            "citation": list(named.citation),
            "source": named.source,
            "hub_id": named.hub_id,
            "note": named.note,
        }
    stated = {"license": section.license, "citation": section.citation, "source": section.source}
    described |= {key: value for key, value in stated.items() if value}
    return record.Data(
        **described,
        labels=section.labels,
        split_by=inputs.split_by,
        files=inputs.files,
        statistics=inputs.statistics,
    )


def _leakage(plan: Plan[Any]) -> Leakage:
    inputs = plan.inputs
    data_id = inputs.named.id if inputs.named else None
    known = find_exposure(plan.origin, data_id, inputs.files, plan.recipe.model.checkpoint)
    exposure = {"base_model_exposure": known.exposure, "exposure_source": known.source or None}
    return inputs.leakage.model_copy(update=exposure)


def _training(plan: Plan[Any], history: History, device: str) -> Training:
    training = plan.recipe.training
    images = history.steps * training.batch_size
    seconds = history.seconds - history.validation_seconds
    assert training.learning_rate is not None
    return Training(
        epochs_planned=training.epochs,
        epochs=len(history.epochs),
        best_epoch=history.best_epoch,
        steps=history.steps,
        images_seen=images,
        batch_size=training.batch_size,
        patch=training.patch,
        optimizer=OPTIMIZER,
        learning_rate=training.learning_rate,
        schedule=f"linear warm-up over {100 * training.warmup:.3g}% of the steps, then cosine decay to zero",
        weight_decay=training.weight_decay,
        gradient_clip=training.gradient_clip,
        average=training.average,
        loss=plan.model.target.loss_name,
        augmentation=_augmentation(plan),
        precision=plan.recipe.compute.precision,
        step_times=plan.step_times,
        seed=training.seed,
        seconds=history.seconds,
        device=device,
        images_per_second=images / seconds if seconds > 0 else None,
        resumed=history.resumed,
        stopped_early=history.stopped_early,
        stopped_by_user=history.stopped_by_user,
        history=[Epoch(**epoch) for epoch in history.epochs],
        energy=Energy(**history.energy) if history.energy else None,
        selections=find_selections(plan, history),
    )


def _augmentation(plan: Plan[Any]) -> str:
    words, views = plan.data.augmentation.describe(), plan.data.views
    if views is None:
        return words
    return f"{words}; {views} view{'s' if views > 1 else ''} of each image, each drawn once"


def _accuracy(
    plan: Plan[Any], before: Measured | None, after: Measured | None, labeled_by: str | None
) -> Accuracy | None:
    if after is None:
        return None
    change = None
    if before:
        change = paired_change(before.scores, after.scores, resamples=plan.recipe.evaluation.bootstrap)
    partly = "not measured, because only part of the initial weights was pretrained"
    return Accuracy(
        images=len(after.scores),
        labeled_by=labeled_by,
        dice_of="boundary" if plan.model.target.labels == "boundary" else "foreground",
        before=summarize(before.scores) if before else None,
        before_note=None if before else partly if plan.origin.part else "untrained",
        after=summarize(after.scores),
        change=change,
    )
