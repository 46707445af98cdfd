"""The figures of a table of runs as CSV, in full precision, for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from cards.benchmark.grouping import RunTable
from cards.benchmark.results import REPOSITORIES, QuotedResult
from cards.benchmark.row_figures import Mean, Paired
from cards.benchmark.run_table import METRICS, Contents
from cards.benchmark.seeds import Row
from cards.benchmark.tables import QUOTED
from cards.scores import csv_text

Value = str | int | float | None

COLUMNS = (
    *(
        "data",
        "split",
        "images",
        "dice_of",
        "recipe",
        "stage",
        "repository",
        "model",
        "target",
        "seeds",
        "runs",
    ),
    *("dice", "dice_std", "dice_low", "dice_high", "dice_seed_std"),
    *(
        "unrelated_images",
        "unrelated_dice",
        "unrelated_dice_std",
        "unrelated_dice_low",
        "unrelated_dice_high",
    ),
    *METRICS,
    "validation_dice",
    *("baseline", "difference", "difference_low", "difference_high"),
    *("unrelated_difference", "unrelated_difference_low", "unrelated_difference_high"),
    *("seconds_per_image", "training_seconds", "hardware", "finetune", "commits", "changes"),
)


def csv_figures(tables: Sequence[RunTable], contents: Contents) -> str:
    """Write the rows of all tables as CSV. A cell is empty where nothing was measured.

    Args:
        tables: from `cards.benchmark.grouping.group`.
        contents: what the tables show besides the runs.

    Returns:
        One row for each recipe, stage and quoted figure. Means and intervals as in `cards.benchmark.seeds`;
        times in seconds; several kinds of hardware are separated by semicolons, as are their times.
    """
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    for table in tables:
        rows = [_measured(table, row, contents) for row in table.rows]
        rows += [_quoted(table, result) for result in table.quoted.results] if table.quoted else []
        for row in rows:
            writer.writerow(
                {key: csv_text(value) if isinstance(value, str) else value for key, value in row.items()}
            )
    return stream.getvalue()


def _table(table: RunTable) -> dict[str, Value]:
    return {"data": table.data, "split": table.split, "images": len(table.images), "dice_of": table.dice_of}


def _measured(table: RunTable, row: Row, contents: Contents) -> dict[str, Value]:
    run, unrelated, times = row.runs[0], row.unrelated(), row.times()
    base = run.model.base
    commits = sorted({one.environment.git_commit or "not stated" for one in row.runs})
    figures = _table(table) | {
        "recipe": row.title,
        "stage": row.stage,
        "repository": REPOSITORIES.get(base.repository, base.repository),
        "model": base.id,
        "target": run.model.target.name,
        "seeds": "; ".join(map(str, row.seeds)),
        "runs": len(row.runs),
        "validation_dice": row.validation() if row.stage == "after" else None,
        "unrelated_images": None if unrelated is None else len(unrelated),
        "seconds_per_image": _joined([one.per_image for one in times]),
        "training_seconds": _joined([one.training for one in times]),
        "hardware": "; ".join(one.hardware for one in times),
        "finetune": run.finetune_version,
        "commits": "; ".join(commits),
        "changes": contents.changes(run),
    }
    figures |= _mean("dice", row.mean(bootstrap=contents.bootstrap))
    if unrelated:
        of_unrelated = _mean("unrelated_dice", row.mean(images=unrelated, bootstrap=contents.bootstrap))
        figures |= {key: value for key, value in of_unrelated.items() if key in COLUMNS}
    for metric in METRICS:
        mean = row.mean(metric)
        figures[metric] = mean.mean if mean else None
    baseline = contents.baseline
    if baseline and baseline in table.rows and row is not baseline:
        figures["baseline"] = baseline.title
        figures |= _paired("difference", row.difference(baseline, contents.bootstrap))
        if both := (unrelated or frozenset()) & (baseline.unrelated() or frozenset()):
            figures |= _paired("unrelated_difference", row.difference(baseline, contents.bootstrap, both))
    return figures


def _mean(name: str, mean: Mean | None) -> dict[str, Value]:
    if mean is None:
        return {}
    low, high = mean.interval or (None, None)
    parts = {"": mean.mean, "_std": mean.std, "_low": low, "_high": high, "_seed_std": mean.seed_std}
    return {f"{name}{part}": value for part, value in parts.items()}


def _paired(name: str, difference: Paired | None) -> dict[str, Value]:
    if difference is None:
        return {}
    low, high = difference.interval or (None, None)
    return {name: difference.mean, f"{name}_low": low, f"{name}_high": high}


def _joined(times: Sequence[float | None]) -> str:
    return "; ".join("" if time is None else f"{time:.6g}" for time in times)


def _quoted(table: RunTable, result: QuotedResult) -> dict[str, Value]:
    return _table(table) | {
        "recipe": QUOTED,
        "stage": QUOTED,
        "repository": result.repository,
        "model": result.title,
        "dice": result.dice,
        "dice_std": result.std,
        "seconds_per_image": result.seconds,
    }
