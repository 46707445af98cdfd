"""The automatic task: network × target, one pass from an image to a label image."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from cards.base import LabelKind, Split
from cards.precision import precision_problem
from cards.record import RunRecord
from finetune.data.annotations.registry import read_pair_labels
from finetune.data.diameter import mean_diameter
from finetune.data.feature_cache import FeatureStore
from finetune.data.labels import convert
from finetune.data.pairs import Pair
from finetune.evaluation.evaluate import Measured, evaluate, write_scores
from finetune.evaluation.precision import choose_precision
from finetune.evaluation.thresholds import auto_options, select_options
from finetune.export.verification import label_dice
from finetune.inference.model import Model
from finetune.inference.tile_mismatch import measure_tiling
from finetune.pipeline import record_builder
from finetune.pipeline.compatibility import (
    check_output,
    check_patch,
    check_queries,
    warn_about_published_options,
    warn_if_too_many_objects,
)
from finetune.pipeline.examples import draw_examples
from finetune.pipeline.inputs import collect_inputs
from finetune.pipeline.plan import Plan, build_plan, load_options
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import load
from finetune.targets.registry import build_target, tentative_target
from finetune.training.hardware import device_of
from finetune.training.history import History
from finetune.training.module import Segmenter
from finetune.training.optimizer import OptimizerOptions
from finetune.training.precision import measure_precision
from finetune.training.precompute import with_frozen_encoder
from finetune.utils import progress
from finetune.utils.memory import estimate_training_bytes
from finetune.utils.memory_format import fastest_format

export_score = label_dice


def prepare(recipe: Recipe, console: Console) -> Plan[Model]:
    """Resolve a recipe whose `model.target` is a target; see `Task.prepare`.

    Args:
        recipe: the validated recipe.
        console: where progress is shown.

    Returns:
        The resolved recipe.
    """
    options, precision = recipe.model.target_options, recipe.compute.precision
    target = build_target(recipe.model.target, options)
    inputs = collect_inputs(recipe, target.labels, console)
    recipe = _measure_diameter(inputs.recipe, inputs.pairs, inputs.label_kind)
    section = recipe.model
    loaded = load(section.repository, section.name, load_options(recipe, inputs.channels, target.channels))
    check_output(loaded, target)
    check_queries(loaded.network, target, inputs.files)
    check_patch(recipe.training.patch, loaded.divisor)
    selected = auto_options(section.target, options)
    warnings = [
        *warn_about_published_options(loaded, target),
        *warn_if_too_many_objects(target, inputs.files),
    ]
    if selected and not any(pair.split == "validation" for pair in inputs.pairs):
        names = ", ".join(selected)
        warnings.append(
            f"{names}: the default is kept, because there are no validation images to select it on"
        )
        selected = []
    plan = build_plan(
        recipe,
        inputs,
        loaded,
        target,
        partial(Model, halo=loaded.halo, torchscript=loaded.torchscript),
        auto_options=selected,
        warnings=warnings,
    )
    if precision == "auto":
        plan.recipe, plan.step_times = measure_precision(
            plan.recipe, plan.model.network, inputs.channels, inputs.device
        )
    return plan


def build_module(plan: Plan[Model], folder: Path, optimizer: OptimizerOptions) -> Segmenter:
    """Build the training module: the network, or only its decoder if the frozen encoder is precomputed.

    Args:
        plan: the resolved recipe.
        folder: the run folder; precomputed features are stored in its subfolder `features`.
        optimizer: settings of optimizer and schedule.

    Returns:
        The module, with the network's weights.
    """
    training, network = plan.recipe.training, plan.model.network
    features, frozen = None, with_frozen_encoder(network)
    if training.cache and training.views is not None and frozen:
        settings = {
            "network": plan.model.architecture.model_dump(),
            "precision": plan.recipe.compute.precision,
        }
        features, network = FeatureStore(folder / "features", frozen.encoder, settings), frozen.decoder
    return Segmenter(
        network,
        tentative_target(plan.model.target, plan.auto_options),
        divisor=plan.model.divisor,
        optimizer=optimizer,
        features=features,
        memory_format=fastest_format(network, device_of(plan.recipe.compute)),
    )


def evaluate_stage(plan: Plan[Model], stage: str, console: Console) -> Measured | None:
    """Predict all test images and score the label images; see `Task.evaluate_stage`.

    Args:
        plan: the resolved recipe.
        stage: "before" or "after" training, for the console.
        console: where progress is shown.

    Returns:
        Scores; None if there are no test images.
    """
    if not plan.count("test"):
        return None
    with progress.stage(console, f"evaluating {stage} training", plan.count("test")) as shown:
        return evaluate(plan.model, shown.track(plan.data.samples("test")), partial(plan.previews.add, stage))


def select_thresholds(plan: Plan[Model], console: Console) -> None:
    """Select the target options that the recipe left `auto`, on the validation images.

    Args:
        plan: the resolved recipe with the trained model, whose target is replaced.
        console: where progress is shown.
    """
    names = plan.auto_options
    if not names:
        return
    warnings: list[str] = []
    with progress.stage(console, f"selecting {', '.join(names)}", plan.count("validation")) as shown:
        samples = shown.track(plan.data.samples("validation"))
        plan.model.target = select_options(plan.model, names, samples, warnings.append)
    if warnings:  # then nothing was selected, and the card must not say so
        plan.auto_options = []
        plan.warnings += warnings


def select_precision(plan: Plan[Model], console: Console) -> None:
    """Choose the precision of inference by comparing labels of the validation images.

    Args:
        plan: the resolved recipe with the trained model, which predicts in the chosen precision from now on.
        console: where progress is shown.
    """
    asked, model = plan.recipe.compute.inference, plan.model
    with console.status(f"comparing precisions on {plan.count('validation')} validation images"):
        plan.inference = choose_precision(model, asked, plan.data.samples("validation"))
    model.precision = model.verified = plan.inference.precision
    if asked == model.precision == "bf16" and (problem := precision_problem(plan.inference)):
        plan.warnings.append(f"compute.inference=bf16: {problem}")


def build_record(
    plan: Plan[Model],
    history: History,
    before: Measured | None,
    after: Measured | None,
    training_peak_bytes: int | None,
) -> RunRecord:
    """Build the record from the scores of all test images; see `Task.build_record`.

    Args:
        plan: the resolved recipe with the trained model.
        history: history of the training.
        before: scores before training.
        after: scores after training.
        training_peak_bytes: peak memory in bytes; None if unknown.

    Returns:
        The record.
    """
    record = record_builder.build_record("automatic", plan, history, before, after, training_peak_bytes)
    splits: tuple[Split, ...] = ("test", "validation", "train")
    split: Split = next((split for split in splits if plan.count(split)), "train")
    tiling = measure_tiling(plan.model, plan.data.samples(split))
    return record.model_copy(update={"tiling": tiling})


def save_scores(record: RunRecord, path: Path) -> None:
    """Write `scores.csv`: one row per image and stage.

    Args:
        record: the record.
        path: the file.
    """
    accuracy = record.accuracy
    write_scores(path, {"before": accuracy.before, "after": accuracy.after} if accuracy else {})


def draw(plan: Plan[Model], record: RunRecord, folder: Path) -> None:
    """Draw the histogram of Dice and the best, median and worst test image; see `Task.draw`.

    Args:
        plan: the resolved recipe with the trained model.
        record: the record.
        folder: output folder.
    """
    draw_examples(plan.model, plan.data, record, folder)


def summarize(plan: Plan[Model]) -> dict[str, str]:
    """Describe target and memory for a dry run; see `Task.summarize`.

    Args:
        plan: the resolved recipe.

    Returns:
        Text by label.
    """
    training, model = plan.recipe.training, plan.model
    batch = (training.batch_size, model.channels, training.patch, training.patch)
    estimate = estimate_training_bytes(model.network, batch)
    return {
        "target": f"{plan.recipe.model.target} ({model.target.channels} maps)",
        "memory": f"about {estimate / 2**30:.1f} GiB for training, torch itself not counted",
    }


def _measure_diameter(recipe: Recipe, pairs: list[Pair], label_kind: LabelKind) -> Recipe:
    """Replace the network option `diameter: auto` by the mean diameter of the training instances."""
    if recipe.model.options.get("diameter") != "auto":
        return recipe
    labels = (
        convert(read_pair_labels(pair.image, pair.label, pair.page), label_kind, "instances")
        for pair in pairs
        if pair.split == "train"
    )
    options: dict[str, Any] = recipe.model.options | {"diameter": mean_diameter(labels)}
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"options": options})})
