"""`finetune card table`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.errors import InputError
from finetune.cli.console import print_document, print_line, print_note, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cards.benchmark.grouping import RunTable
    from cards.benchmark.run_table import Contents

ENDINGS = (".md", ".csv", ".tex", ".html")


def table(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Run folders, folders that hold runs, packages, records, or ids on the Hugging Face Hub.",
        ),
    ],
    quoted: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BENCHMARK",
            help="Also show the published figures that this benchmark file, or included benchmark, quotes. "
            "Repeatable.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="State the paired difference of each row from this one."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this new file instead: .md, .csv, .tex or .html."),
    ] = None,
) -> None:
    """Show many runs in one table.

    The table states accuracy with intervals, time and hardware. Runs of one recipe with different seeds are
    one row. Runs that were tested on different images are in separate tables. Accuracy is stated on all test
    images and on those unrelated to training images, with the 95 % bootstrap interval of the mean.
    """
    from rich.console import Console

    from cards.benchmark.grouping import distinct, find_row, group
    from cards.benchmark.run_notes import notes_on
    from cards.benchmark.run_table import Contents, report
    from finetune.benchmark.run_records import add_quoted, bootstrap, changes, find_records

    if out and out.suffix.lower() not in ENDINGS:
        raise InputError(f"{out}: choose a name that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    records, notes = find_records(runs)
    different, copies = distinct(records)
    tables = add_quoted(group(different), quoted or [])
    contents = Contents(bootstrap, find_row(tables, baseline) if baseline else None, changes)
    for note in (*notes, *copies, *notes_on(tables)):
        print_note(note)
    if out is not None:
        print_document(_document(tables, contents, out.suffix.lower()), out)
    elif Console().is_terminal:
        _print(tables, contents)
    else:
        print(report(tables, contents), end="")


def _print(tables: Sequence[RunTable], contents: Contents) -> None:
    """Print tables for a terminal, where names are wrapped but never cut."""
    from cards.benchmark.run_table import accuracy, caption, details, title

    for table in tables:
        print_line(title(table), style="bold")
        for rows in (accuracy(table, contents), details(table, contents)):
            print_line()
            print_table(rows[0], rows[1:])
        print_line()
        print_line(caption(table, contents))
        print_line()


def _document(tables: Sequence[RunTable], contents: Contents, ending: str) -> str:
    from cards.benchmark.run_figures import csv_figures
    from cards.benchmark.run_table import WIDE, accuracy, caption, report, title
    from cards.benchmark.tables import latex_table
    from cards.report import Section, render_html

    if ending == ".csv":
        return csv_figures(tables, contents)
    if ending == ".tex":
        return "\n".join(
            latex_table(accuracy(one, contents), f"{title(one)}. {caption(one, contents)}") for one in tables
        )
    page = report(tables, contents)
    return page if ending == ".md" else render_html(page, Path("pictures"), Section("", (WIDE,)))
