"""Outputs of a benchmark: tables, plot and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cards import formatting as words
from cards.benchmark import tables
from cards.benchmark.fractions import curves, draw_fractions, enough_images, fraction_rows
from cards.benchmark.plot import draw_pareto
from cards.benchmark.recommendation import recommend
from cards.benchmark.results import Benchmark
from cards.markdown import plain
from cards.report import render_html
from finetune.utils.atomic import atomic_file, disk_errors, write_file

PICTURE = "pictures/pareto.png"
CURVE = "pictures/fractions.png"
DETAILS = ("95 % interval", "Parameters", "License", "Seen in training")
"""Columns of the second table of the report; the first one must fit the page."""


def write_outputs(benchmark: Benchmark, out: Path, within: Sequence[float]) -> None:
    """Write the table as CSV, Markdown, LaTeX and HTML, the scores of each image, and the plot.

    Args:
        benchmark: the results.
        out: the folder of the benchmark, in which earlier outputs are replaced.
        within: seconds per image for which the best model is recommended.
    """
    with disk_errors(out, "choose another folder with --out"):
        table = tables.rows(benchmark)
        if benchmark.timed():
            with atomic_file(out / PICTURE) as partial:
                draw_pareto(benchmark, partial)
        if curves(benchmark):
            with atomic_file(out / CURVE) as partial:
                draw_fractions(benchmark, partial)
            write_file(out / "fractions.csv", tables.csv_table(fraction_rows(benchmark)))
        page = report(benchmark, within)
        write_file(out / "table.csv", tables.csv_table(table))
        write_file(out / "table.md", page)
        write_file(out / "table.tex", tables.latex_table(table, _caption(benchmark)))
        write_file(out / "scores.csv", tables.csv_scores(benchmark))
        write_file(out / "report.html", render_html(page, out / "pictures"))


def report(benchmark: Benchmark, within: Sequence[float]) -> str:
    """Render the report in Markdown.

    Args:
        benchmark: the results.
        within: seconds per image for which the best model is recommended.

    Returns:
        Title, table, recommendation and plot.
    """
    table = tables.rows(benchmark)
    accuracy = tables.select(table, [name for name in table[0] if name not in DETAILS])
    parts = [f"# {benchmark.title}", _caption(benchmark), tables.markdown_table(accuracy)]
    if benchmark.quoted:
        source = benchmark.quoted_from or "source not stated"
        parts.append(f"Rows marked *quoted* were not measured here. Source: {source}.")
    if failed := benchmark.failed():
        reasons = "\n".join(f"- {result.title}: {plain(result.reason)}" for result in failed)
        parts += ["## Failed", reasons]
    if sentences := recommend(benchmark, within):
        parts += ["## Recommendation", "\n".join(f"- {sentence}" for sentence in sentences)]
    if benchmark.timed():
        parts += ["## Accuracy and time", f"![Mean Dice and time per image of each model]({PICTURE})"]
        details = tables.select(table, ("Model", *DETAILS), empty=False)
        parts += ["## Models", tables.markdown_table(details)]
    if curves(benchmark):
        parts += [
            "## Number of training images",
            "All runs of a recipe take the same number of steps; validation and test images are the same.",
            f"![Mean Dice against the number of training images]({CURVE})",
            tables.markdown_table(fraction_rows(benchmark)),
            "\n".join(f"- {sentence}" for sentence in enough_images(benchmark)),
        ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _caption(benchmark: Benchmark) -> str:
    images = f"{words.counted(len(benchmark.images), 'image')} of {benchmark.data}"
    return (
        f"Mean ± standard deviation over {images}; Dice of the {benchmark.dice_of}. Time per image: median, "
        f"warm, batch size 1, from pixels in memory to labels, on {benchmark.hardware}. Measured with "
        f"finetune {benchmark.finetune_version}, {benchmark.created[:10]}."
    )
