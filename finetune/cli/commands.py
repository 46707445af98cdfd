"""What the commands of cli.py do, and what they print."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from cards.errors import RecipeError
from cards.record import RunRecord
from finetune.recipe.library import all_recipes, find_recipe
from finetune.recipe.schema import Recipe


def run_recipe(name_or_path: str, overrides: list[str], out: Path | None, overwrite: bool) -> None:
    """Run a recipe and print where everything is."""
    recipe = find_recipe(name_or_path, overrides)
    _run(recipe, out or Path("runs") / recipe.name, overwrite=overwrite)


def show_recipe(name_or_path: str, overrides: list[str], out: Path | None) -> None:
    """Print what a run of the recipe would do."""
    recipe = find_recipe(name_or_path, overrides)
    from finetune.pipeline.dry_run import dry_run  # takes torch, and seconds

    dry_run(recipe, out or Path("runs") / recipe.name)


def resume_run(folder: Path) -> None:
    """Go on with an unfinished run, by the recipe in it."""
    from finetune.pipeline.run_folder import RunFolder
    from finetune.recipe.schema import read_recipe

    unfinished = RunFolder(folder, resume=True)
    unfinished.check()
    _run(read_recipe(unfinished.work / "recipe.yaml"), folder, resume=True)


def _run(recipe: Recipe, out: Path, *, overwrite: bool = False, resume: bool = False) -> None:
    from finetune.pipeline.run_folder import RunFolder

    console = Console(stderr=True)
    RunFolder(out, overwrite=overwrite, resume=resume).check()  # before torch takes its seconds to load
    from finetune.pipeline.runner import run

    try:
        record = run(recipe, out=out, overwrite=overwrite, resume=resume, console=console)
    except KeyboardInterrupt:
        kept = RunFolder(out).resumable
        console.print(
            f"stopped; go on with: finetune run --resume {out}" if kept else "stopped; nothing was kept"
        )
        raise
    if record is not None:
        _summary(record, out)


def _summary(record: RunRecord, out: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if accuracy := record.accuracy:
        after = accuracy.after.summary
        before = f"{accuracy.before.summary['dice'].mean:.4f}" if accuracy.before else accuracy.before_note
        dice = f"Dice {after['dice'].mean:.4f} ± {after['dice'].std:.4f} on {accuracy.images} test images"
        dice = f"labeled without prompts: {dice}" if accuracy.labeled_by else dice
        console.print(f"{dice} (before: {before}), AP50 {after['ap50'].mean:.4f}, PQ {after['pq'].mean:.4f}")
    for score in record.prompts:
        before = f"{score.before.mean:.4f}" if score.before else "untrained"
        of = f"{score.kind}: IoU {score.after.mean:.4f} ± {score.after.std:.4f}"
        console.print(f"{of} on {len(score.images)} test images (before: {before})")
    if timing := record.timing:
        milliseconds = f"{1000 * timing.median_seconds:.0f} ms an image on {timing.device}"
        console.print(f"trained in {record.training.seconds:.0f} s; {milliseconds}")
    for warning in record.warnings:
        console.print(f"warning: {warning}", style="yellow")
    console.print(f"model, cards and packages: {out} (look at {out / 'report.html'})")


def validate_recipe(name_or_path: str, overrides: list[str]) -> None:
    """Check a recipe as far as it can be without its images: reading it does."""
    recipe = find_recipe(name_or_path, overrides)
    Console().print(f"{recipe.name}: valid", highlight=False)


def list_recipes() -> None:
    """Print the recipes that come with finetune."""
    console, table = _table("recipe", "model", "data", "target", "takes")
    for recipe in all_recipes():
        model = f"{recipe.model.repository} {recipe.model.name}"
        table.add_row(recipe.name, model, recipe.data.name, recipe.model.target, recipe.takes)
    console.print(table)


def list_known_models(repository: str | None, task: str | None, fine_tunable: bool, offline: bool) -> None:
    """Print the models that are known, then how many there are of each kind.

    Repositories are asked for their numbers unless `--offline` (or HF_HUB_OFFLINE) says not to: the numbers
    are what a person who looks for a model cannot know, the list stands before they come, and it takes no
    account and no more than seconds. One that does not answer is no error: the list is as good without it.
    """
    from finetune.repositories.base import ANY
    from finetune.repositories.catalog import KINDS, count_models, list_models

    console, table = _table(
        "repository", "model", "what it is", "task", "license", "parameters", "as float32", "fine-tunable"
    )
    for listed in list_models(repository, task, fine_tunable):
        info = listed.info
        table.add_row(
            listed.repository,
            "(any)" if info.name == ANY else info.name,
            info.title,
            info.task,
            info.license or ("its own" if info.name == ANY else "not stated"),
            f"{info.parameters:,}" if info.parameters else "not known",
            f"{4 * info.parameters / 1e6:,.0f} MB" if info.parameters else "not known",
            "yes" if info.fine_tunable else f"no: {info.why_not}",
        )
    console.print(table)
    counts = count_models(repository, ask=not offline)
    console, table = _table("number of models", *KINDS)
    for name, row in counts.rows.items():
        table.add_row(name, *(str(row[kind]) for kind in KINDS))
    console.print()
    console.print(table)
    for name, reason in counts.silent.items():
        console.print(f"{name}: {reason}", highlight=False)
    answered = f"{' and '.join(counts.asked)}: as answered just now; others" if counts.asked else "numbers"
    console.print(f"{answered}: what is known here, without asking anyone", highlight=False)


def _table(*columns: str) -> tuple[Console, Table]:
    console = Console()
    if not console.is_terminal:  # nothing to fit into: whole names, for whatever reads them
        console.width = 300
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return console, table


def predict_images(model_source: str, images: Path, out: Path) -> None:
    """Label images and write one TIFF an image, of the same name."""
    import tifffile

    from finetune.data.images import is_image, read_image
    from finetune.inference.model import load

    found = [images] if images.is_file() else sorted(filter(is_image, images.glob("*")))
    if not found:
        raise RecipeError(f"{images}: no images here")
    model = load(model_source)
    out.mkdir(parents=True, exist_ok=True)
    for path in found:
        labels = model.predict(read_image(path))
        target = out / f"{path.stem}.tif"
        tifffile.imwrite(
            target, labels.astype("uint16" if labels.max() < 2**16 else "int32"), compression="zlib"
        )
        Console().print(f"{target}: {labels.max()} instances", highlight=False)
