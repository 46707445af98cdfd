"""Log of evaluations on the test images of named data sets.

    python benchmarks/evaluation_log.py RUN|benchmark.json... --purpose "final figure of unet_nuclei, 3 seeds"

appends one row for each evaluation to test_evaluations.csv beside this script: date, commit, recipe, seed,
hardware, accuracy on all test images and on those unrelated to training images, and the hash of the record.
Rows are only ever added. A figure in README, docs or recipes must have a row; tests/benchmarks checks it.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from cards import statements as facts
from cards.benchmark.grouping import recipe_name
from cards.benchmark.results import FILE, Benchmark, ModelResult
from cards.errors import InputError
from cards.fingerprint import sha256_file
from cards.leakage import unrelated_images
from cards.metrics import PRIMARY
from cards.reading import find_record
from cards.record import Environment, RunRecord
from cards.scores import ImageScore, Stage, csv_text
from finetune.benchmark.run_records import NOT_INCLUDED, changes
from finetune.data.datasets import DATASETS

LOG = Path(__file__).with_name("test_evaluations.csv")
COLUMNS = (
    *("date", "commit", "recipe", "stage", "seed", "hardware", "data", "images"),
    *("dice", "dice_std", "unrelated_images", "unrelated_dice", "unrelated_dice_std", "ap50", "pq"),
    *("purpose", "sha256", "note"),
)
Entry = dict[str, Any]


def record_entries(record: RunRecord) -> Iterator[Entry]:
    """Evaluations of a run: of the base model, if it was measured before training, and of the trained one."""
    accuracy, named = record.accuracy, DATASETS.get(record.data.id)
    if named is None or record.data.note != named.note:
        raise InputError(f"{record.name}: {record.data.id} is no named data set; only those are logged")
    if accuracy is None or accuracy.split != "test":
        raise InputError(f"{record.name}: has no accuracy on test images")
    common = {
        "date": record.created[:10],
        "commit": commit(record.environment),
        "recipe": recipe(record),
        "seed": record.training.seed,
        "hardware": facts.timed_on(record),
        "data": record.data.id,
        "sha256": record.digest(),
    }
    stages: dict[str, Stage | None] = {"before": accuracy.before, "after": accuracy.after}
    for stage, measured in stages.items():
        if measured:
            yield common | {"stage": stage} | figures(measured.scores, unrelated_images(record))


def benchmark_entries(path: Path) -> Iterator[Entry]:
    """Evaluations of a benchmark: one for each model that was measured."""
    benchmark = Benchmark.read(path)
    data = {named.title: name for name, named in DATASETS.items()}.get(benchmark.data)
    if data is None:
        raise InputError(f"{path}: {benchmark.data} is no named data set; only those are logged")
    unrelated = None if benchmark.unrelated is None else set(benchmark.unrelated)
    threads = f", {benchmark.threads} threads" if benchmark.threads else ""
    for result in benchmark.measured():
        yield {
            "date": benchmark.created[:10],
            "commit": commit(benchmark.environment),
            "recipe": benchmarked(result),
            "seed": None,
            "hardware": benchmark.device + threads,
            "data": data,
            "stage": result.stage,
            "sha256": sha256_file(path),
        } | figures(result.scores, unrelated)


def benchmarked(result: ModelResult) -> str:
    """Name a row of a benchmark."""
    return f"benchmark: {result.repository} {result.title}"


def figures(scores: list[ImageScore], unrelated: set[str] | None) -> Entry:
    """Mean and population standard deviation over all images, and over the unrelated ones."""
    entry: Entry = {"images": len(scores)} | spread("dice", [score.metrics[PRIMARY] for score in scores])
    if unrelated is not None:
        chosen = [score.metrics[PRIMARY] for score in scores if score.image in unrelated]
        entry |= {"unrelated_images": len(chosen)} | spread("unrelated_dice", chosen)
    for metric in ("ap50", "pq"):
        values = [score.metrics[metric] for score in scores if metric in score.metrics]
        entry[metric] = f"{fmean(values):.4f}" if len(values) == len(scores) else ""
    return entry


def spread(name: str, values: list[float]) -> Entry:
    """Mean and standard deviation with four decimals, as they are published; of one value, its mean alone."""
    entry: Entry = {name: f"{fmean(values):.4f}"} if values else {}
    return entry | {f"{name}_std": f"{pstdev(values):.4f}"} if len(values) > 1 else entry


def recipe(record: RunRecord) -> str:
    """Name the recipe, with the keys that differ from the included recipe of that name."""
    changed = changes(record)
    name = recipe_name(record)
    return name if changed in ("none", NOT_INCLUDED) else f"{name} {changed}"


def commit(environment: Environment) -> str:
    """Short commit of the code that was evaluated."""
    if not environment.git_commit:
        return "not recorded"
    return environment.git_commit[:7] + (" with changes" if environment.git_dirty else "")


def append(log: Path, entries: list[Entry], purpose: str) -> int:
    """Add the evaluations that are not in the log yet.

    Args:
        log: the log.
        entries: evaluations.
        purpose: why the test images were used.

    Returns:
        How many rows were added.
    """
    with log.open(newline="", encoding="utf-8") as file:
        known = {(row["sha256"], row["stage"], row["recipe"]) for row in csv.DictReader(file)}
    new = [entry for entry in entries if (entry["sha256"], entry["stage"], entry["recipe"]) not in known]
    with log.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        for entry in new:
            row = entry | {"purpose": purpose}
            writer.writerow(
                {key: csv_text(text) if isinstance(text, str) else text for key, text in row.items()}
            )
    return len(new)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("sources", nargs="+", type=Path, metavar="RUN|benchmark.json")
    parser.add_argument("--purpose", required=True, help="why the test images were used")
    parser.add_argument("--log", type=Path, default=LOG)
    arguments = parser.parse_args()
    try:
        entries = [
            entry
            for source in arguments.sources
            for entry in (
                benchmark_entries(source) if source.name == FILE else record_entries(find_record(source))
            )
        ]
        added = append(arguments.log, entries, arguments.purpose)
    except (InputError, OSError) as error:
        sys.exit(f"{error}")
    print(f"{arguments.log}: {added} added, {len(entries) - added} there already")


if __name__ == "__main__":
    main()
