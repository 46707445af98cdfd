"""`finetune run --dry-run`: resolve everything, show the images, train nothing."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cards.formatting import splits as split_words
from finetune.export.registry import EXPORTERS
from finetune.pipeline.destination import inputs_of
from finetune.pipeline.preview import describe_images, read_tiles, write_preview
from finetune.pipeline.run_folder import RunFolder
from finetune.pipeline.task import task_for
from finetune.recipe.schema import Recipe


def dry_run(recipe: Recipe, destination: Path, *, overwrite: bool = False) -> None:
    """Resolve a recipe, print what a run would do, and write a contact sheet of the images.

    Args:
        recipe: the recipe.
        destination: the run folder that a run would write; the contact sheet is `<run folder>.preview.png`.
        overwrite: whether the run would replace a finished run.

    Raises:
        InputError: if the run could not start.
    """
    task = task_for(recipe)
    plan = task.prepare(recipe, Console(stderr=True))
    recipe, training = plan.recipe, plan.recipe.training
    splits = ", ".join(f"{plan.count(split)} {split}" for split in ("train", "validation", "test"))
    summary = task.summarize(plan)
    tiles, low, high = read_tiles(plan)
    lines = {
        "model": f"{recipe.model.repository} {recipe.model.name}, {plan.origin.weights} weights",
        "parameters": f"{plan.parameters.total:,}, {plan.parameters.trainable:,} trainable "
        f"({recipe.model.adapt})",
        "target": summary["target"],
        "data": f"{len(plan.inputs.files)} pairs: {splits} ({split_words(plan.inputs.split_by)})",
        "images": describe_images(plan.inputs.files, low, high, len(tiles)),
        "instances": f"{sum(file.instances for file in plan.inputs.files):,}",
        "training": f"{training.epochs} epochs of {plan.data.batches_per_epoch} batches of "
        f"{training.batch_size} patches of {training.patch} px, learning rate {training.learning_rate:g}",
        "memory": summary["memory"],
        "writes": f"{destination}/ recipe.yaml record.json scores.csv figure.svg figure.csv report.html "
        "images.json checkpoints/ logs/ "
        + " ".join(exporter.OUTPUT for exporter in EXPORTERS.values() if not exporter.supports(plan.model)),
    }
    console = Console()
    for label, value in lines.items():
        console.print(f"{label:<12}{value}", highlight=False, markup=False, soft_wrap=True)
    for warning in plan.warnings:
        console.print(f"warning     {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    RunFolder(destination, overwrite=overwrite, inputs=inputs_of(recipe)).check()
    preview = write_preview(tiles, destination)
    console.print(f"{'preview':<12}{preview}", highlight=False, markup=False, soft_wrap=True)
