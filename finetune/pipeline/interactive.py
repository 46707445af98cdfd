"""The interactive task: a promptable network, one mask per point or box, refined by correction points."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from cards.errors import RecipeError
from cards.record import RunRecord
from finetune.evaluation.evaluate import Measured
from finetune.export.prompt_verification import box_dice
from finetune.pipeline import record_builder
from finetune.pipeline.inputs import collect_inputs
from finetune.pipeline.plan import Plan, build_plan, load_options
from finetune.prompts.evaluation import (
    PromptResult,
    evaluate_automatic,
    evaluate_prompts,
    prompt_scores,
    write_prompt_scores,
)
from finetune.prompts.model import PromptedModel
from finetune.prompts.module import InteractiveSegmenter
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import Loaded, describe, promptable
from finetune.targets.prompt_options import build_prompts
from finetune.training.history import History
from finetune.training.optimizer import OptimizerOptions
from finetune.utils import progress

export_score = box_dice


@dataclass
class InteractiveResults:
    """Evaluation of one stage.

    Attributes:
        prompts: IoU of the masks predicted from prompts, per test image.
        labels: scores of label images predicted without prompts; None if `evaluation.automatic_images` is 0.
    """

    prompts: list[PromptResult] = field(default_factory=list)
    labels: Measured | None = None


def prepare(recipe: Recipe, console: Console) -> Plan[PromptedModel]:
    """Resolve a recipe whose `model.target` is prompts; see `Task.prepare`.

    Args:
        recipe: the validated recipe.
        console: where progress is shown.

    Returns:
        The resolved recipe.

    Raises:
        RecipeError: if no validation image has an instance, or the patch size differs from the network's
            image size.
    """
    section = recipe.model
    prompts = build_prompts(section.target_options)
    repository = promptable(section.repository)
    describe(section.repository, section.name)
    inputs = collect_inputs(recipe, prompts.labels, console)
    recipe = inputs.recipe
    loaded = repository.load(section.name, load_options(recipe, inputs.channels, prompts.channels))
    recipe = _use_network_size(recipe, loaded)
    instances = [file.instances for file in inputs.files if file.split == "validation"]
    if instances and not sum(instances):
        raise RecipeError(
            "data: the validation images contain no instances to prompt for; set data.validation=0"
        )
    return build_plan(recipe, inputs, loaded, prompts, PromptedModel, squared=True)


def build_module(
    plan: Plan[PromptedModel], folder: Path, optimizer: OptimizerOptions
) -> InteractiveSegmenter:
    """Build the training module.

    Args:
        plan: the resolved recipe.
        folder: the run folder; not used.
        optimizer: settings of optimizer and schedule.

    Returns:
        The module, with the network's weights.
    """
    seed = plan.recipe.training.seed
    return InteractiveSegmenter(plan.model.network, plan.model.target, optimizer=optimizer, seed=seed)


def evaluate_stage(plan: Plan[PromptedModel], stage: str, console: Console) -> InteractiveResults:
    """Prompt for all instances of the test images, and segment the first images without prompts.

    Args:
        plan: the resolved recipe.
        stage: "before" or "after" training, for the console.
        console: where progress is shown.

    Returns:
        IoU of prompted masks, and scores without prompts.
    """
    tests = plan.count("test")
    with progress.stage(console, f"prompting for all instances {stage} training", tests) as shown:
        prompts = evaluate_prompts(plan.model, shown.track(plan.data.samples("test")))
    images = min(plan.recipe.evaluation.automatic_images, tests)
    with progress.stage(console, f"segmenting without prompts {stage} training", images) as shown:
        samples = shown.track(plan.data.samples("test"))
        return InteractiveResults(prompts, evaluate_automatic(plan.model, samples, images))


def select_thresholds(plan: Plan[PromptedModel], console: Console) -> None:
    """Select nothing: prompts have no thresholds.

    Args:
        plan: not used.
        console: not used.
    """


def select_precision(plan: Plan[PromptedModel], console: Console) -> None:
    """Select nothing: masks from prompts are predicted in float32.

    Args:
        plan: not used.
        console: not used.
    """


def build_record(
    plan: Plan[PromptedModel],
    history: History,
    before: InteractiveResults | None,
    after: InteractiveResults,
    training_peak_bytes: int | None,
) -> RunRecord:
    """Build the record from the IoU of prompted masks and the scores without prompts; see `Task`.

    Args:
        plan: the resolved recipe with the trained model.
        history: history of the training.
        before: results before training; None if not measured.
        after: results after training.
        training_peak_bytes: peak memory in bytes; None if unknown.

    Returns:
        The record.
    """
    labels_before = before.labels if before else None
    record = record_builder.build_record(
        "interactive", plan, history, labels_before, after.labels, training_peak_bytes, plan.model.labels_by
    )
    record.prompts = prompt_scores(before.prompts if before else None, after.prompts)
    record.warnings += [
        f"the fine-tuned model is worse than its base model with prompts of the kind {score.kind}: mean IoU "
        f"{score.after.mean:.4f}, before {score.before.mean:.4f}"
        for score in record.prompts
        if score.before and score.after.mean < score.before.mean
    ]
    return record


def save_scores(record: RunRecord, path: Path) -> None:
    """Write `scores.csv`: one row per image and kind of prompt.

    Args:
        record: the record.
        path: the file.
    """
    write_prompt_scores(path, record.prompts)


def draw(plan: Plan[PromptedModel], record: RunRecord, folder: Path) -> None:
    """Draw nothing besides the training curve.

    Args:
        plan: not used.
        record: not used.
        folder: not used.
    """


def summarize(plan: Plan[PromptedModel]) -> dict[str, str]:
    """Describe target and memory for a dry run; see `Task.summarize`.

    Args:
        plan: the resolved recipe.

    Returns:
        Text by label.
    """
    return {
        "target": f"{plan.recipe.model.target} (one mask per prompt)",
        "memory": "not estimated: it depends on the number of prompts",
    }


def _use_network_size(recipe: Recipe, loaded: Loaded) -> Recipe:
    """Set the patch size to the image size of the network, the only one possible."""
    image_size, training = loaded.architecture.options["image_size"], recipe.training
    if "patch" in training.model_fields_set and training.patch != image_size:
        raise RecipeError(
            f"training.patch: {training.patch}; with prompts each image is resized to a square of "
            f"model.options.image_size pixels, which is {image_size}; remove training.patch"
        )
    return recipe.model_copy(update={"training": training.model_copy(update={"patch": image_size})})
