"""Group run records into tables: one table for each set of test images, one row for each recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cards import formatting as words
from cards.benchmark.results import QuotedResult
from cards.benchmark.seeds import ImageKey, Row, Stage, scored
from cards.comparison import leaves
from cards.errors import InputError
from cards.metrics import PRIMARY
from cards.record import RunRecord

NOT_THE_RECIPE = (
    "name",
    "takes",
    "card",
    "evaluation",
    "compute",
    "training.seed",
    "training.workers",
    "training.cache",
    "data.name",
    "data.root",
    "data.csv",
    "data.layout",
    "data.license",
    "data.citation",
    "data.source",
    "model.checkpoint",
    "model.trust",
)
"""Keys that do not distinguish rows: the seed, descriptions, the number of processes, and places of files,
whose content is compared instead."""


@dataclass(frozen=True)
class Quoted:
    """Figures that someone else published on the images of a table.

    Attributes:
        results: the figures.
        source: where they are from.
    """

    results: Sequence[QuotedResult]
    source: str


@dataclass(frozen=True)
class RunTable:
    """Runs that were tested on the same images.

    Attributes:
        data: name of the data set.
        dice_of: pixels that Dice compares.
        split: of the images.
        images: pixels and name of each image; empty if accuracy was not measured.
        rows: the most accurate first.
        quoted: published figures on these images, if they are to be shown.
    """

    data: str
    dice_of: str
    split: str
    images: tuple[tuple[ImageKey, str], ...]
    rows: tuple[Row, ...]
    quoted: Quoted | None = None

    @property
    def runs(self) -> list[RunRecord]:
        """All runs of the table, each once."""
        return [run for row in self.rows if row.stage == "after" for run in row.runs]


def distinct(records: Mapping[str, RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """Drop copies of the same run, such as a run folder and the package in it.

    Args:
        records: by the name under which each was found.

    Returns:
        Each run once, and a note on each copy.
    """
    found: dict[tuple[str, float, int], str] = {}
    notes = []
    for name, record in records.items():
        run = (record.created, record.training.seconds, record.training.seed)
        first = found.setdefault(run, name)
        if first != name:
            notes.append(f"{name}: the same run as {first}; counted once")
    return [records[name] for name in found.values()], notes


def group(records: Sequence[RunRecord]) -> list[RunTable]:
    """Group runs into tables and rows.

    Args:
        records: each run once.

    Returns:
        Tables, those with the most images first.

    Raises:
        InputError: if a record scores an image that it does not list.
    """
    found: dict[tuple[object, ...], list[RunRecord]] = {}
    for record in records:
        accuracy, images = record.accuracy, tuple(_keys(record, "after"))
        kind = (accuracy.dice_of, accuracy.split) if accuracy else (record.model.target.labels, "test")
        found.setdefault((images, *kind, None if images else record.data.digest()), []).append(record)
    tables = [_table(runs) for runs in found.values()]
    return sorted(tables, key=lambda table: (-len(table.images), table.data))


def find_row(tables: Sequence[RunTable], name: str) -> Row:
    """Find a row by its title.

    Args:
        tables: from `group`.
        name: the title, or the name of the recipe if only one row has it.

    Returns:
        The row.

    Raises:
        InputError: if there is none, or several.
    """
    rows = [row for table in tables for row in table.rows]
    exact = [row for row in rows if row.title == name]
    named = [row for row in rows if row.stage == "after" and name in {run.name for run in row.runs}]
    found = exact or named
    if len(found) == 1:
        return found[0]
    titles = "; ".join(row.title for row in found or rows)
    raise InputError(f"{name}: {'several rows have' if found else 'no row has'} this name; rows: {titles}")


def is_left_out(key: str) -> bool:
    """Whether a key of a recipe does not distinguish rows.

    Args:
        key: such as "training.seed".

    Returns:
        True for the keys in `NOT_THE_RECIPE` and those below them.
    """
    return any(key == name or key.startswith(f"{name}.") for name in NOT_THE_RECIPE)


def recipe_name(record: RunRecord) -> str:
    """Name of the recipe of a run.

    Args:
        record: the run.

    Returns:
        Its name; that of the run if an older version did not record it.
    """
    return str(record.recipe.get("name") or record.name)


def _table(runs: Sequence[RunRecord]) -> RunTable:
    recipes: dict[str, list[RunRecord]] = {}
    for run in sorted(runs, key=lambda run: (run.training.seed, run.created)):
        recipes.setdefault(_digest(_recipe(run)), []).append(run)
    rows = []
    first = runs[0]
    titles = _titles([one for one, *_ in recipes.values()])
    for title, seeds in zip(titles, recipes.values(), strict=True):
        rows.append(Row(title, "after", tuple(seeds)))
        if all(_keys(run, "before") == _keys(first, "after") != [] for run in seeds):
            rows.append(Row(f"{title}, before", "before", tuple(seeds)))
    return RunTable(
        data=first.data.id,
        dice_of=first.accuracy.dice_of if first.accuracy else first.model.target.labels,
        split=first.accuracy.split if first.accuracy else "test",
        images=tuple((key, score.image) for key, score in scored(first, "after")),
        rows=tuple(sorted(rows, key=_dice, reverse=True)),
    )


def _keys(run: RunRecord, stage: Stage) -> list[ImageKey]:
    return [key for key, _ in scored(run, stage)]


def _dice(row: Row) -> float:
    seeds = row.values(PRIMARY)
    return sum(map(sum, seeds)) / len(seeds) if seeds else -1.0


def _recipe(run: RunRecord) -> dict[str, str]:
    """What two runs have in common if they are runs of the same recipe."""
    keys = {key: value for key, value in leaves(run.recipe) if not is_left_out(key)}
    used = sorted(
        (file.split, file.image_pixels, file.label_pixels) for file in run.data.files if file.split != "test"
    )
    base = run.model.base
    return keys | {
        "precision": run.training.precision,
        "base weights": words.short(base.sha256) if base.sha256 else f"{base.weights} {base.id}",
        "finetune": run.finetune_version,
        "training images": f"{run.data.count('train')} ({words.short(_digest(used))})",
    }


def _digest(content: object) -> str:
    text = repr(sorted(content.items()) if isinstance(content, dict) else content)
    return hashlib.sha256(text.encode()).hexdigest()


def _titles(runs: Sequence[RunRecord]) -> list[str]:
    """Name each recipe; recipes of the same name by what differs as well."""
    names = [recipe_name(run) for run in runs]
    recipes = [_recipe(run) for run in runs]
    titles = []
    for name, recipe in zip(names, recipes, strict=True):
        others = [other for other, its_name in zip(recipes, names, strict=True) if its_name == name]
        # A key that another version of finetune does not have has its default there.
        keys = set(recipe) | set().union(*others)
        if len({other["finetune"] for other in others}) > 1:
            keys = keys.intersection(*others)
        differing = [key for key in sorted(keys) if len({other.get(key, "unset") for other in others}) > 1]
        if any(key.startswith("data.") for key in differing):
            differing = [key for key in differing if key != "training images"]
        titles.append(", ".join([name, *(f"{key} {recipe.get(key, 'unset')}" for key in differing)]))
    return titles
