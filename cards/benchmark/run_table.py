"""One table of many runs, from their records: accuracy with intervals, time and hardware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cards import formatting as words
from cards.benchmark.grouping import RunTable
from cards.benchmark.results import REPOSITORIES, QuotedResult
from cards.benchmark.row_figures import Mean, Paired
from cards.benchmark.seeds import Bootstrap, Row
from cards.benchmark.tables import QUOTED, Rows, markdown_table
from cards.markdown import escape
from cards.record import RunRecord

WIDE = "body { max-width: 76rem; } [style*='right'] { white-space: normal; }"
"""Style of a page with these tables: they are wider than those of a card."""

METRICS = {"ap50": "AP50", "pq": "PQ"}
"""Columns besides Dice."""


@dataclass(frozen=True)
class Contents:
    """What tables show besides the runs.

    Attributes:
        bootstrap: computes 95 % intervals.
        baseline: the row from which paired differences are stated.
        changes: states how the recipe of a run differs from the included one.
    """

    bootstrap: Bootstrap
    baseline: Row | None = None
    changes: Callable[[RunRecord], str] = lambda run: words.NOT_STATED


def report(tables: Sequence[RunTable], contents: Contents, notes: Sequence[str] = ()) -> str:
    """Render all tables as Markdown.

    Args:
        tables: from `cards.benchmark.grouping.group`.
        contents: what the tables show besides the runs.
        notes: one sentence each, shown above the tables.

    Returns:
        For each table a title, accuracy, a caption, and training time and hardware.
    """
    parts = ["# Results"]
    if notes:
        parts.append("\n".join(f"- {escape(note)}" for note in notes))
    for table in tables:
        parts += [
            f"## {escape(title(table))}",
            markdown_table(accuracy(table, contents)),
            escape(caption(table, contents)),
            markdown_table(details(table, contents)),
        ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def title(table: RunTable) -> str:
    """Name a table by its data set and images.

    Args:
        table: the runs.

    Returns:
        For example "dsb2018: 50 test images".
    """
    images = words.counted(len(table.images), f"{table.split} image") if table.images else "no test images"
    return f"{table.data}: {images}"


def caption(table: RunTable, contents: Contents) -> str:
    """State what the figures of a table mean.

    Args:
        table: the runs.
        contents: what the tables show besides the runs.

    Returns:
        Some sentences.
    """
    sentences = [
        f"Dice of the {table.dice_of}: mean ± standard deviation over images, and the 95 % bootstrap "
        "interval of the mean. Unrelated images: no copy, part or neighbor among the training images was "
        "found. Time per image: median, warm, batch size 1, from pixels in memory to labels."
    ]
    if any(len(row.seeds) > 1 for row in table.rows):
        sentences.append(
            "Runs with different seeds are averaged; intervals are from resampled images, each averaged over "
            "seeds."
        )
    if contents.baseline in table.rows:
        sentences.append("Differences are paired by image.")
    if table.quoted:
        sentences.append(f"Rows marked {QUOTED} were not measured here. Source: {table.quoted.source}.")
    return " ".join(sentences)


def accuracy(table: RunTable, contents: Contents) -> Rows:
    """Accuracy and time per image, one row for each recipe and each quoted figure.

    Args:
        table: the runs.
        contents: what the tables show besides the runs.

    Returns:
        Rows of text, the first of which is the header.
    """
    unrelated = {images for row in table.rows if (images := row.unrelated()) is not None}
    same = len(unrelated) == 1  # else each cell states its number
    number = words.counted(len(unrelated.pop()), "unrelated image") if same else "unrelated images"
    against = contents.baseline if contents.baseline in table.rows else None
    header = ["Recipe", "Repository", "Model", f"Dice, {words.counted(len(table.images), 'image')}"]
    header += [f"Dice, {number}", *METRICS.values(), "Time per image"]
    header += [f"Dice minus {against.title}"] if against else []
    body = [_measured(row, against, contents.bootstrap, with_number=not same) for row in table.rows]
    ranked = sorted(table.quoted.results, key=lambda result: -result.dice) if table.quoted else []
    return [header, *body, *(_quoted(result, len(header)) for result in ranked)]


def details(table: RunTable, contents: Contents) -> Rows:
    """Changes, target, validation Dice, seeds, training time and hardware of each recipe.

    Args:
        table: the runs.
        contents: what the tables show besides the runs.

    Returns:
        Rows of text, the first of which is the header.
    """
    header = ["Recipe", "Changes to the included recipe", "Target", "Validation Dice", "Seeds"]
    rows = [[*header, "SD of Dice over seeds", "Training time", "Hardware"]]
    for row in table.rows:
        if row.stage == "before":
            continue
        mean = row.mean()
        std = mean.seed_std if mean else None
        times = row.times()
        rows.append(
            [
                row.title,
                contents.changes(row.runs[0]),
                _target(row.runs[0]),
                words.score(row.validation()),
                ", ".join(map(str, row.seeds)),
                words.NOT_MEASURED if std is None else f"{std:.4f}",
                "; ".join(words.duration(one.training) for one in times),
                "; ".join(one.hardware for one in times),
            ]
        )
    return rows


def _target(run: RunRecord) -> str:
    by = run.accuracy.labeled_by if run.accuracy else None
    return f"{run.model.target.name}, labels by {by}" if by else run.model.target.name


def _interval(ends: tuple[float, float] | None) -> str:
    return f" ({ends[0]:.4f} to {ends[1]:.4f})" if ends else ""


def _measured(row: Row, baseline: Row | None, bootstrap: Bootstrap, *, with_number: bool) -> list[str]:
    run = row.runs[0]
    base = run.model.base
    repository = REPOSITORIES.get(base.repository, base.repository)
    means = [row.mean(metric) for metric in METRICS]
    times = [words.duration(one.per_image) for one in row.times()]
    cells = [
        row.title,
        repository,
        base.id,
        _mean(row.mean(bootstrap=bootstrap)),
        _on_unrelated(row, bootstrap, with_number=with_number),
        *(words.score(mean.mean if mean else None) for mean in means),
        "; ".join(times),
    ]
    if baseline:
        cells.append("" if row is baseline else _difference(row.difference(baseline, bootstrap)))
    return cells


def _mean(mean: Mean | None) -> str:
    return words.mean_std(mean.mean, mean.std) + _interval(mean.interval) if mean else words.NOT_MEASURED


def _on_unrelated(row: Row, bootstrap: Bootstrap, *, with_number: bool) -> str:
    unrelated = row.unrelated()
    if unrelated is None:
        return words.NOT_MEASURED
    if not unrelated:
        return "no unrelated images"
    text = _mean(row.mean(images=unrelated, bootstrap=bootstrap))
    return f"{text}, {words.counted(len(unrelated), 'image')}" if with_number else text


def _difference(difference: Paired | None) -> str:
    if difference is None:
        return words.NOT_MEASURED
    if difference.interval is None:
        return words.signed(difference.mean)
    low, high = map(words.signed, difference.interval)
    return f"{words.signed(difference.mean)} ({low} to {high})"


def _quoted(result: QuotedResult, width: int) -> list[str]:
    cells = [QUOTED, result.repository, result.title, words.mean_std(result.dice, result.std), "", "", ""]
    cells.append(words.duration(result.seconds) if result.seconds is not None else "")
    return cells + [""] * (width - len(cells))
