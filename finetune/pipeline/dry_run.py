"""`finetune run --dry-run`: resolve everything, train nothing."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from finetune.export.registry import EXPORTERS
from finetune.pipeline.run_folder import RunFolder
from finetune.pipeline.task import task_for
from finetune.recipe.schema import Recipe


def dry_run(recipe: Recipe, destination: Path) -> None:
    """Resolve a recipe and print what a run would do.

    Args:
        recipe: the recipe.
        destination: the run folder that a run would write.

    Raises:
        InputError: if the run could not start.
    """
    task = task_for(recipe)
    plan = task.prepare(recipe, Console(stderr=True))
    recipe, training = plan.recipe, plan.recipe.training
    splits = ", ".join(f"{plan.count(split)} {split}" for split in ("train", "validation", "test"))
    summary = task.summarize(plan)
    lines = {
        "model": f"{recipe.model.repository} {recipe.model.name}, {plan.origin.weights} weights",
        "parameters": f"{plan.parameters.total:,}, {plan.parameters.trainable:,} trainable "
        f"({recipe.model.adapt})",
        "target": summary["target"],
        "data": f"{len(plan.inputs.files)} pairs: {splits} ({plan.inputs.split_by})",
        "instances": f"{sum(file.instances for file in plan.inputs.files):,}",
        "training": f"{training.epochs} epochs of {plan.data.batches_per_epoch} batches of "
        f"{training.batch_size} patches of {training.patch} px, learning rate {training.learning_rate:g}",
        "memory": summary["memory"],
        "writes": f"{destination}/ recipe.yaml record.json scores.csv report.html checkpoints/ logs/ "
        + " ".join(exporter.OUTPUT for exporter in EXPORTERS.values() if not exporter.supports(plan.model)),
    }
    console = Console()
    for label, value in lines.items():
        console.print(f"{label:<12}{value}", highlight=False, soft_wrap=True)
    for warning in plan.warnings:
        console.print(f"warning     {warning}", style="yellow", highlight=False, soft_wrap=True)
    RunFolder(destination).check()
