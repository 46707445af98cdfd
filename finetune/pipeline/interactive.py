"""A run whose network learns to answer prompts: as `pipeline.runner.run`, from the recipe to the cards."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from rich.console import Console

from cards import figures as pictures
from cards.record import RunRecord
from finetune.adapters import merge
from finetune.evaluation.evaluate import Measured
from finetune.export.huggingface import save_model
from finetune.pipeline.artifacts import write_cards
from finetune.pipeline.interactive_plan import prepare_prompted
from finetune.pipeline.plan import Plan
from finetune.pipeline.record_builder import build_record
from finetune.prompts.evaluation import (
    PromptResult,
    evaluate_automatic,
    evaluate_prompts,
    prompt_scores,
    write_prompt_scores,
)
from finetune.prompts.model import PromptedModel
from finetune.prompts.module import Prompter
from finetune.prompts.verification import check_prompts
from finetune.recipe.reader import write_recipe
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import promptable, save, save_adapter
from finetune.training.hardware import device_of
from finetune.training.trainer import fit, is_finished
from finetune.utils.memory import PeakMemory

NO_PACKAGE = "There is no BioImage.IO package: the format cannot express prompts."


def run_prompted(recipe: Recipe, folder: Path, console: Console, helping: bool) -> RunRecord | None:
    """Fine-tune a promptable network, measure it before and after, export it, and write its cards.

    Args:
        recipe: with `model.target: prompts`.
        folder: the run folder.
        console: where progress goes.
        helping: whether this process only helps another to train.

    Returns:
        The record, as written to `record.json`; None in a process that helps.

    Raises:
        InputError: if something is wrong that the user can mend.
    """
    plan = prepare_prompted(recipe, console)
    plan.say(console)
    if not helping:
        write_recipe(plan.recipe, folder / "recipe.yaml")
    measures = plan.origin.weights == "pretrained" and not helping
    before = _ask(plan, console, "before") if measures else None
    labeled_before = _label(plan, console, "before") if measures else None
    training = plan.recipe.training
    assert training.learning_rate is not None  # prepare_prompted() filled it in
    prompter = Prompter(
        plan.model.network,
        plan.model.target,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup=training.warmup,
        steps=training.epochs * plan.data.batches_per_epoch,
        seed=training.seed,
    )
    trains = not is_finished(folder)
    with PeakMemory(device_of(plan.recipe.compute)) as memory:
        history = fit(prompter, plan.data, plan.recipe, folder, console)
    if helping:
        return None
    adapter = folder / "native" / "adapter"
    save_adapter(plan.model.network, plan.model.architecture, plan.origin, adapter)
    plan.model.network = merge(plan.model.network)  # type: ignore[assignment]
    after, labeled = _ask(plan, console, "after"), _label(plan, console, "after")
    peak = memory.bytes if trains else None
    record = build_record(plan, history, labeled_before, labeled, peak, task="interactive")
    if record.accuracy:
        record.accuracy.labeled_by = promptable(plan.model.architecture.repository).NATIVE.labels_by
    record.prompts = prompt_scores(before, after)
    record.warnings += _worse(record)
    write_prompt_scores(folder / "scores.csv", record.prompts)
    console.print("exporting and checking what was exported")
    return _hand_over(plan, record, folder)


def _ask(plan: Plan[PromptedModel], console: Console, stage: str) -> list[PromptResult]:
    plan.model.network.to(device_of(plan.recipe.compute))  # Lightning leaves it on the CPU
    with console.status(f"asking {stage} for all instances of {plan.count('test')} test images"):
        return evaluate_prompts(plan.model, plan.data.samples("test"))


def _label(plan: Plan[PromptedModel], console: Console, stage: str) -> Measured | None:
    images = min(plan.recipe.evaluation.automatic_images, plan.count("test"))
    with console.status(f"labeling {images} test images {stage}, without prompts"):
        return evaluate_automatic(plan.model, plan.data.samples("test"), images)


def _worse(record: RunRecord) -> list[str]:
    return [
        f"the tuned model is worse than its base model with prompts of the kind {score.kind}: mean IoU "
        f"{score.after.mean:.4f}, before {score.before.mean:.4f}"
        for score in record.prompts
        if score.before and score.after.mean < score.before.mean
    ]


def _hand_over(plan: Plan[PromptedModel], record: RunRecord, folder: Path) -> RunRecord:
    """Export the model, load every export again, and write cards and record from what came of it."""
    model, hub = plan.model, folder / "huggingface"
    save_model(model, hub)
    save(model.network, model.architecture, folder / "native")
    images = islice(plan.data.samples("test"), plan.recipe.evaluation.check_images)
    checks = check_prompts(folder, model, images)
    differ = [
        f"{check.artifact} does not give the trained model's masks: Dice {check.dice:.4f}, "
        f"not {check.trained_dice:.4f}"
        for check in checks
        if not check.equal
    ]
    warnings = [*record.warnings, NO_PACKAGE, *differ]
    record = record.model_copy(update={"exports": checks, "warnings": warnings})
    (hub / "pictures").mkdir(exist_ok=True)
    training = record.training
    pictures.training_curve(training.history, hub / "pictures" / "training.png", training.best_epoch)
    return write_cards(record, folder)
