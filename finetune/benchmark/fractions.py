"""How many annotated images are enough: a recipe is run with fractions of the training images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from cards.benchmark.results import FractionResult
from cards.errors import InputError
from cards.record import RunRecord
from finetune.benchmark.describe import Description, describe_run
from finetune.benchmark.images import BenchmarkImages
from finetune.benchmark.rows import model_result
from finetune.benchmark.schema import BenchmarkFile, TunedEntry
from finetune.benchmark.tune import finished_run, recipe_on, row_key


def run_fractions(
    entry: TunedEntry, benchmark: BenchmarkFile, images: BenchmarkImages, out: Path, console: Console
) -> Iterator[FractionResult]:
    """Run a recipe with fractions of the training images, after it was run with all of them.

    All runs take as many steps as the one with all images, and are validated and tested on the same images. A
    smaller fraction is a subset of a larger one. A finished run is used again, an unfinished one resumed.

    Args:
        entry: the recipe in the benchmark file.
        benchmark: the benchmark file, with the fractions in percent.
        images: its images.
        out: folder of the results; the runs go to `runs/<recipe name>-<percent>pct` in it.
        console: where progress is shown.

    Yields:
        One result for each fraction, and one for all images.
    """
    try:
        recipe = recipe_on(entry, benchmark)
    except InputError:  # its row states the reason
        return
    folder = out / "runs" / recipe.name
    if not (folder / "record.json").is_file():
        return  # the run with all images failed; its row states the reason
    whole = RunRecord.read(folder)
    if whole.accuracy is None:  # a prompted model; its row states the reason
        return
    patches = recipe.training.images_per_epoch or whole.data.count("train")
    for percent in sorted(set(benchmark.fractions) - {100.0}):
        name = f"{recipe.name}-{percent:g}pct"
        overrides = [f"name={name}", f"training.images_per_epoch={patches}"]
        part = recipe_on(entry, benchmark, [*overrides, f"data.train_fraction={percent / 100}"])
        title = entry.title or whole.card.title
        try:
            yield _result(title, percent, finished_run(part, out / "runs" / name, console), images)
        except InputError as error:
            line = f"{title}, {percent:g} % of the training images: {error}"
            console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
            key = row_key(name, "failed", images)
            failed = model_result(Description(title, "", stage="fine-tuned"), key, [], str(error))
            yield FractionResult(recipe=title, fraction=percent / 100, result=failed)
    yield _result(entry.title or whole.card.title, 100.0, whole, images)


def _result(title: str, percent: float, record: RunRecord, images: BenchmarkImages) -> FractionResult:
    if record.accuracy is None:
        raise InputError("its accuracy was not measured")
    key = row_key(record.digest(), "fine-tuned", images)
    description = describe_run(record, images.files, title)
    return FractionResult(
        recipe=title,
        fraction=percent / 100,
        train_images=record.data.count("train"),
        result=model_result(description, key, record.accuracy.after.scores),
    )
