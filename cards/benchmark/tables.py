"""Tables of a benchmark: one row per model, the most accurate first, as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection

from cards import formatting as words
from cards.benchmark.results import Benchmark, ModelResult, QuotedResult
from cards.markdown import escape
from cards.scores import csv_text

Rows = list[list[str]]
QUOTED = "quoted"
NAMES = (
    "Recipe",
    "Repository",
    "Model",
    "Stage",
    "License",
    "Seen in training",
    "Changes to the included recipe",
    "Target",
    "Seeds",
    "Hardware",
)
"""Columns that hold no figures."""

UNBROKEN = re.compile(r"(?<=\d) (±|to) (?=[+−\d])")
"""Between these figures, a cell does not break into two lines."""

LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"±": r"$\pm$", "×": r"$\times$", "µ": r"$\mu$", "−": "$-$"}
)


def rows(benchmark: Benchmark) -> Rows:
    """Cells of the table: measured models, then failed ones, then quoted figures.

    Args:
        benchmark: the results.

    Returns:
        Rows of text, the first of which is the header.
    """
    unrelated = benchmark.unrelated
    header = ["Repository", "Model", "Stage", "Dice", "95 % interval"]
    if unrelated is not None:
        header.append(f"Dice, {words.counted(len(unrelated), 'unrelated image')}")
    header += ["AP50", "PQ", "Time", "Parameters", "License", "Seen in training"]
    measured = [_measured(result, unrelated) for result in benchmark.measured()]
    quoted = sorted(benchmark.quoted, key=lambda result: -result.dice)
    return [
        header,
        *measured,
        *(_failed(result, len(header)) for result in benchmark.failed()),
        *(_quoted(result, len(header), unrelated is not None) for result in quoted),
    ]


def _measured(result: ModelResult, unrelated: Collection[str] | None) -> list[str]:
    low, high = result.interval or (None, None)
    interval = words.NOT_MEASURED if low is None else f"{low:.4f} to {high:.4f}"
    cells = [
        result.repository,
        result.title,
        result.stage,
        words.mean_std(result.mean(), result.std()),
        interval,
    ]
    if unrelated is not None:
        cells.append(words.mean_std(result.mean(images=unrelated), result.std(images=unrelated)))
    return [
        *cells,
        words.score(result.mean("ap50")),
        words.score(result.mean("pq")),
        result.time_per_image(),
        words.count(result.parameters) if result.parameters else words.NOT_STATED,
        words.stated(result.license),
        result.exposure,
    ]


def _failed(result: ModelResult, width: int) -> list[str]:
    cells = [result.repository, result.title, result.stage, "failed"]
    return cells + [""] * (width - len(cells))


def _quoted(result: QuotedResult, width: int, with_unrelated: bool) -> list[str]:
    cells = [result.repository, result.title, QUOTED, words.mean_std(result.dice, result.std), ""]
    cells += [""] * (3 if with_unrelated else 2)
    cells.append(words.duration(result.seconds) if result.seconds is not None else "")
    return cells + [""] * (width - len(cells))


def select(table: Rows, columns: Collection[str], *, empty: bool = True) -> Rows:
    """Select columns of a table.

    Args:
        table: rows of text, the first of which is the header.
        columns: names in the header; others are dropped.
        empty: keep rows whose selected cells are empty but for the first one.

    Returns:
        The columns, in the order of the table.
    """
    chosen = [index for index, name in enumerate(table[0]) if name in columns]
    selected = [[row[index] for index in chosen] for row in table]
    return selected if empty else [row for row in selected if any(row[1:])]


def markdown_table(table: Rows) -> str:
    """Format a table as Markdown; names are aligned left, figures right.

    Args:
        table: rows of text, the first of which is the header.

    Returns:
        The table, with a newline at the end. Cells with ± do not break.
    """
    cells = [[_markdown(cell) for cell in row] for row in table]
    alignment = [":--" if name in NAMES else "--:" for name in table[0]]
    return "".join(f"| {' | '.join(line)} |\n" for line in (cells[0], alignment, *cells[1:]))


def latex_table(table: Rows, caption: str) -> str:
    """Format a table for LaTeX with the package booktabs.

    Args:
        table: rows of text, the first of which is the header.
        caption: text above the table.

    Returns:
        A `table` environment.
    """
    lines = [" & ".join(cell.translate(LATEX) for cell in row) + r" \\" for row in table]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{caption.translate(LATEX)}}}",
            rf"\begin{{tabular}}{{{'l' * len(table[0])}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def csv_table(table: Rows) -> str:
    """Format a table as CSV.

    Args:
        table: rows of text, the first of which is the header.

    Returns:
        The table; no cell is a formula for a spreadsheet.
    """
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([csv_text(cell) for cell in row] for row in table)
    return stream.getvalue()


def csv_scores(benchmark: Benchmark) -> str:
    """All metrics of each image and model as CSV.

    Args:
        benchmark: the results.

    Returns:
        One row for each model and image.
    """
    scores = (score for result in benchmark.results for score in result.scores)
    metrics = list(dict.fromkeys(name for score in scores for name in score.metrics))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["repository", "model", "stage", "image", *metrics, "seconds"])
    for result in benchmark.results:
        for score in result.scores:
            names = [csv_text(text) for text in (result.repository, result.title, result.stage, score.image)]
            writer.writerow([*names, *(score.metrics.get(name, "") for name in metrics), score.seconds])
    return stream.getvalue()


def _markdown(cell: str) -> str:
    return UNBROKEN.sub("\u00a0\\1\u00a0", escape(cell))
