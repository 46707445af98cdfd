"""`finetune run --dry-run`: resolve everything, train nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from finetune.pipeline.interactive_plan import prepare_prompted
from finetune.pipeline.plan import Plan, prepare
from finetune.pipeline.run_folder import RunFolder
from finetune.recipe.schema import Recipe
from finetune.targets.prompt_options import PROMPTS
from finetune.utils.memory import estimate_training_bytes


def dry_run(recipe: Recipe, destination: Path) -> None:
    """Find and check the data, build the network, and print what a run into that folder would do."""
    resolve = prepare_prompted if recipe.model.target == PROMPTS else prepare
    plan: Plan[Any] = resolve(recipe, Console(stderr=True))
    console = Console()
    for label, value in _lines(plan, destination).items():
        console.print(f"{label:<12}{value}", highlight=False, soft_wrap=True)
    for warning in plan.warnings:
        console.print(f"warning     {warning}", style="yellow", highlight=False, soft_wrap=True)
    RunFolder(destination).check()


def _made(plan: Plan[Any]) -> str:
    asked = plan.recipe.model.target == PROMPTS
    return "a mask each" if asked else f"{plan.model.target.channels} maps"


def _lines(plan: Plan[Any], destination: Path) -> dict[str, str]:
    recipe, model = plan.recipe, plan.model
    training = recipe.training
    batch = (training.batch_size, model.channels, training.patch, training.patch)
    memory = "not estimated: it depends on how many instances are asked for"
    if recipe.model.target != PROMPTS:
        estimate = estimate_training_bytes(model.network, batch)
        memory = f"about {estimate / 2**30:.1f} GiB for training, torch itself not counted"
    splits = ", ".join(f"{plan.count(split)} {split}" for split in ("train", "validation", "test"))
    return {
        "model": f"{recipe.model.repository} {recipe.model.name}, {plan.origin.weights} weights",
        "parameters": f"{plan.counted.total:,}, {plan.counted.trainable:,} trainable ({recipe.model.adapt})",
        "target": f"{recipe.model.target} ({_made(plan)})",
        "data": f"{len(plan.found.files)} pairs: {splits} ({plan.found.split_by})",
        "instances": f"{sum(file.instances for file in plan.found.files):,}",
        "training": f"{training.epochs} epochs of {plan.data.batches_per_epoch} batches of "
        f"{training.batch_size} patches of {training.patch} px, learning rate {training.learning_rate:g}",
        "memory": memory,
        "writes": f"{destination}/ recipe.yaml record.json scores.csv report.html checkpoints/ logs/ "
        f"huggingface/ {'native/' if recipe.model.target == PROMPTS else 'bioimageio/'}",
    }
