"""`finetune run --dry-run`: resolve everything, train nothing."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from finetune.folder import RunFolder
from finetune.memory import estimate_training_bytes
from finetune.plan import Plan, prepare
from finetune.recipe import Recipe


def dry_run(recipe: Recipe, destination: Path) -> None:
    """Find and check the data, build the network, and print what a run into that folder would do."""
    plan = prepare(recipe, Console(stderr=True))
    console = Console()
    for label, value in _lines(plan, destination).items():
        console.print(f"{label:<12}{value}", highlight=False, soft_wrap=True)
    for warning in plan.warnings:
        console.print(f"warning     {warning}", style="yellow", highlight=False, soft_wrap=True)
    RunFolder(destination).check()


def _lines(plan: Plan, destination: Path) -> dict[str, str]:
    recipe, model = plan.recipe, plan.model
    training = recipe.training
    memory = estimate_training_bytes(
        model.network, (training.batch_size, model.channels, training.patch, training.patch)
    )
    splits = ", ".join(f"{plan.count(split)} {split}" for split in ("train", "validation", "test"))
    return {
        "model": f"{recipe.model.repository} {recipe.model.name}, {plan.origin.weights} weights",
        "parameters": f"{plan.counted.total:,}, {plan.counted.trainable:,} trainable ({recipe.model.adapt})",
        "target": f"{recipe.model.target} ({model.target.channels} maps)",
        "data": f"{len(plan.files)} pairs: {splits} ({plan.split_by})",
        "instances": f"{sum(file.instances for file in plan.files):,}",
        "training": f"{training.epochs} epochs of {plan.data.batches_per_epoch} batches of "
        f"{training.batch_size} patches of {training.patch} px, learning rate {training.learning_rate:g}",
        "memory": f"about {memory / 2**30:.1f} GiB for training, torch itself not counted",
        "writes": f"{destination}/ recipe.yaml record.json scores.csv report.html checkpoints/ logs/ "
        "huggingface/ bioimageio/",
    }
