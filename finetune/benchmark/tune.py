"""Recipes of a benchmark: run on the same data, measured before and after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from cards.benchmark.results import REPOSITORIES, ModelResult
from cards.errors import InputError
from cards.fingerprint import data_digest
from cards.record import RunRecord
from cards.scores import Stage
from cards.statements import timed_on
from finetune.benchmark.describe import Description, describe_run
from finetune.benchmark.images import BenchmarkImages
from finetune.benchmark.rows import model_result
from finetune.benchmark.schema import BenchmarkFile, TunedEntry
from finetune.pipeline.record_builder import without_local_paths
from finetune.pipeline.runner import run
from finetune.recipe.library import find_recipe
from finetune.recipe.schema import Recipe
from finetune.utils.unfinished import unfinished_folder

SAME_DATA = ("name", "root", "csv", "layout", "labels", "license", "citation", "source")
"""Keys of the section `data` that a recipe takes from the benchmark."""


def run_recipe(
    entry: TunedEntry,
    benchmark: BenchmarkFile,
    images: BenchmarkImages,
    out: Path,
    done: dict[str, ModelResult],
    console: Console,
) -> Iterator[ModelResult]:
    """Run a recipe on the data of a benchmark; a finished run is used again, an unfinished one resumed.

    Args:
        entry: the recipe in the benchmark file.
        benchmark: the benchmark file.
        images: its images.
        out: folder of the results; the run goes to `runs/<recipe name>` in it.
        done: results of an earlier call, by key.
        console: where progress is shown.

    Yields:
        The base model, if its weights are pretrained, and the fine-tuned model.
    """
    title = entry.title or entry.recipe
    try:
        recipe = recipe_on(entry, benchmark)
        record = finished_run(recipe, out / "runs" / recipe.name, console)
        if record.accuracy is None or record.accuracy.labeled_by is not None:
            raise InputError("its accuracy on all test images was not measured")
        if _digest(record) != images.digest:
            raise InputError("its test images are not those of the benchmark; set images to test")
    except InputError as error:
        console.print(f"{title}: {error}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        description = Description(Path(title).stem, "", stage="fine-tuned")
        yield model_result(description, row_key(title, "failed", images), [], str(error))
        return
    after = describe_run(record, images.files, entry.title)
    for stage, measured in (("before", record.accuracy.before), ("fine-tuned", record.accuracy.after)):
        if measured is not None:
            key = row_key(record.digest(), stage, images)
            yield done.get(key) or _result(record, after, stage, measured, key)


def _result(record: RunRecord, after: Description, stage: str, measured: Stage, key: str) -> ModelResult:
    base = record.model.base
    before = replace(
        after,
        title=f"{base.id}, before {after.title}",
        repository=REPOSITORIES.get(base.repository, base.repository),
        stage="before",
        license=base.license,
        exposure="unknown",
    )
    description = before if stage == "before" else after
    return model_result(description, key, measured.scores, hardware=timed_on(record))


def recipe_on(entry: TunedEntry, benchmark: BenchmarkFile, overrides: Sequence[str] = ()) -> Recipe:
    """Read the recipe of an entry, with the data of the benchmark.

    Args:
        entry: the recipe in the benchmark file.
        benchmark: the benchmark file.
        overrides: `KEY=VALUE`, after those of the entry.

    Returns:
        The recipe.

    Raises:
        RecipeError: if the recipe cannot be read or is invalid.
    """
    data = benchmark.data.model_dump(mode="json")
    same_data = [f"data.{key}={json.dumps(data[key])}" for key in SAME_DATA]
    return find_recipe(entry.recipe, [*same_data, *entry.overrides, *overrides])


def finished_run(recipe: Recipe, folder: Path, console: Console) -> RunRecord:
    """Run a recipe, unless it was run before.

    Args:
        recipe: the recipe.
        folder: folder of the run; an unfinished run is resumed.
        console: where progress is shown.

    Returns:
        The record of the run.

    Raises:
        InputError: if the recipe cannot be run.
    """
    if (folder / "record.json").is_file():
        finished = RunRecord.read(folder)
        if changed := _changed(without_local_paths(recipe), finished.recipe):
            raise InputError(
                f"{folder}: was run with another recipe ({changed}); give the recipe another name in "
                "overrides, such as name=second, or choose another folder with --out"
            )
        return finished
    unfinished = unfinished_folder(folder).is_dir()
    record = run(recipe, out=folder, resume=unfinished, console=console)
    if record is None:
        raise InputError("a benchmark runs in one process; start it without torchrun")
    return record


def _changed(wanted: dict[str, Any], stored: dict[str, Any]) -> str | None:
    """The first key whose value differs; a run replaces values that were left open."""
    for key, value in wanted.items():
        if value in (None, "auto") or key not in stored:  # earlier versions had fewer keys
            continue
        found = stored[key]
        if value == found:
            continue
        if not isinstance(value, dict) or not isinstance(found, dict):
            return key
        if inside := _changed(value, found):
            return f"{key}.{inside}"
    return None


def check_names(benchmark: BenchmarkFile) -> None:
    """Check that no two recipes of a benchmark share the folder of their run.

    Args:
        benchmark: the benchmark file.

    Raises:
        InputError: if two recipes have the same name.
    """
    names: set[str] = set()
    for entry in benchmark.tune:
        try:
            name = recipe_on(entry, benchmark).name
        except InputError:  # its row will say so
            continue
        if name in names:
            raise InputError(
                f"{benchmark.name}: two recipes under tune have the name {name}; give one another name in "
                "overrides, such as name=second"
            )
        names.add(name)


def _digest(record: RunRecord) -> str:
    return data_digest(file for file in record.data.files if file.split == "test")


def row_key(name: str, stage: str, images: BenchmarkImages) -> str:
    """Identify a row of the table.

    Args:
        name: of the run.
        stage: how the model was measured.
        images: on which it was measured.

    Returns:
        A hash.
    """
    return hashlib.sha256(f"{images.digest} {name} {stage}".encode()).hexdigest()
