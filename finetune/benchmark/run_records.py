"""Records of runs for a table, and the published figures that a benchmark quotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cards import formatting as words
from cards.benchmark.grouping import Quoted, RunTable, is_left_out, recipe_name
from cards.comparison import leaves
from cards.errors import InputError, RecipeError
from cards.paths import expand_user
from cards.reading import NAME
from cards.record import RunRecord
from finetune.benchmark.schema import read_benchmark
from finetune.data.datasets import DATASETS
from finetune.downloads.records import fetch_record
from finetune.metrics.summary import bootstrap_mean
from finetune.pipeline.start_state import is_marked
from finetune.recipe.library import benchmark_path, find_recipe

NOT_INCLUDED = "not an included recipe"
OPEN = ("unset", "auto")
"""Values of a recipe that a run replaces."""


def find_records(sources: Sequence[str]) -> tuple[dict[str, RunRecord], list[str]]:
    """Read the records of runs.

    Args:
        sources: run folders, packages, records, or ids on the Hugging Face Hub; of any other folder, the runs
            directly in it.

    Returns:
        Records by where each was found, and a note on each unfinished run in a folder of runs.

    Raises:
        InputError: if a source holds no run, or a record cannot be read.
    """
    records: dict[str, RunRecord] = {}
    notes = []
    for source in sources:
        folder = expand_user(source)
        inside = sorted(folder.iterdir()) if folder.is_dir() and not (folder / NAME).exists() else []
        runs = [path for path in inside if (path / NAME).is_file()]
        if not runs or folder.name == "huggingface":  # whose record may lie in the run around it
            records[source] = fetch_record(source)
            continue
        records |= {str(path): fetch_record(str(path)) for path in runs}
        notes += [f"{path}: unfinished; left out" for path in inside if path not in runs and is_marked(path)]
    return records, notes


def add_quoted(tables: Sequence[RunTable], names: Sequence[str]) -> list[RunTable]:
    """Add published figures to the tables of named data sets.

    Args:
        tables: the tables, those with the most images first.
        names: benchmark files, or names of included benchmarks.

    Returns:
        The tables.

    Raises:
        InputError: if a file quotes no figures, or none of the tables is on its images.
    """
    tables = list(tables)
    for name in names:
        benchmark = read_benchmark(benchmark_path(name), [])
        data, source = benchmark.data.name, benchmark.quoted_from or "not stated"
        if not benchmark.quoted:
            raise InputError(f"{name}: quotes no figures; list them under quoted")
        if data is None:
            raise InputError(f"{name}: names no data set, so its figures belong to no table; set data.name")
        # A smaller table with this name holds runs that were tested on a part of the images.
        place = next((i for i, one in enumerate(tables) if one.data == data and _is_named(one)), None)
        if place is None:
            tested = words.listed(list(dict.fromkeys(table.data for table in tables)))
            raise InputError(
                f"{name}: quotes figures on the images of {data}; the runs were tested on others: {tested}"
            )
        tables[place] = replace(tables[place], quoted=Quoted(benchmark.quoted, source))
    return tables


def changes(record: RunRecord) -> str:
    """State how the recipe of a run differs from the included recipe of its name.

    Args:
        record: the run.

    Returns:
        Overrides, such as "training.epochs=4 model.checkpoint=weights.pth"; "none" without any, and "not an
        included recipe" if there is none of that name.
    """
    try:
        included = dict(leaves(find_recipe(recipe_name(record)).model_dump(mode="json")))
    except RecipeError:
        return NOT_INCLUDED
    changed = [
        f"{key}={value}"
        for key, value in leaves(record.recipe)
        # what the recipe leaves open was filled in by the run
        if included.get(key, value) not in (value, *OPEN) and not is_left_out(key)
    ]
    if checkpoint := record.recipe.get("model", {}).get("checkpoint"):
        changed.append(f"model.checkpoint={checkpoint}")
    return " ".join(changed) or "none"


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of a mean.

    Args:
        values: one for each image, at least two.

    Returns:
        Lower and upper end.
    """
    return bootstrap_mean(np.array(values))


def _is_named(table: RunTable) -> bool:
    """Whether the images are those of the published data set, and not of a folder with its name."""
    named = DATASETS.get(table.data)
    return named is not None and all(run.data.note == named.note for run in table.runs)
