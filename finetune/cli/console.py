"""Printing: lines, tables and the summary of a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cards.record import RunRecord


def print_line(text: str = "", style: str | None = None) -> None:
    """Print one line to standard output, without wrapping.

    Args:
        text: the line.
        style: a style of rich, such as "yellow".
    """
    from rich.console import Console

    Console(highlight=False, soft_wrap=True).print(text, style=style, markup=False)


def print_document(text: str, out: Path | None) -> None:
    """Print a document to standard output, or write it to a file and print the path of the file.

    Args:
        text: the document, with a newline at the end.
        out: the file to write; None for standard output.

    Raises:
        InputError: if a file with other content exists, or the file cannot be written.
    """
    if out is None:
        print(text, end="")
        return
    from finetune.utils.atomic import write_new_files

    out = out.expanduser()
    for path, written in write_new_files(out.parent, {out.name: text.encode()}).items():
        print_line(f"{path}{'' if written else ' (unchanged)'}")


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table to standard output.

    Args:
        columns: headings.
        rows: cells of each row.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:  # no width to fit into: print whole names
        console.width = 300
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_summary(record: RunRecord, out: Path) -> None:
    """Print accuracy, time and warnings of a run.

    Args:
        record: the run record.
        out: the run folder.
    """
    if accuracy := record.accuracy:
        after = accuracy.after.summary
        before = f"{accuracy.before.summary['dice'].mean:.4f}" if accuracy.before else accuracy.before_note
        dice = f"Dice {after['dice'].mean:.4f} ± {after['dice'].std:.4f} on {accuracy.images} test images"
        dice = f"segmented without prompts: {dice}" if accuracy.labeled_by else dice
        others = [
            f", {metric.label} {after[metric.name].mean:.4f}"
            for metric in record.metrics
            if metric.headline and metric.name != "dice"
        ]
        print_line(f"{dice} (before: {before}){''.join(others)}")
    for score in record.prompts:
        before = f"{score.before.mean:.4f}" if score.before else "untrained"
        iou = f"{score.kind}: IoU {score.after.mean:.4f} ± {score.after.std:.4f}"
        print_line(f"{iou} on {len(score.images)} test images (before: {before})")
    if timing := record.timing:
        milliseconds = f"{1000 * timing.median_seconds:.0f} ms per image on {timing.device}"
        print_line(f"trained in {record.training.seconds:.0f} s; {milliseconds}")
    for warning in record.warnings:
        print_line(f"warning: {warning}", style="yellow")
    print_line(f"model, cards and packages: {out} (open {out / 'report.html'})")


def print_markdown(text: str) -> None:
    """Print a card: formatted in a terminal, else as Markdown.

    Args:
        text: Markdown from `cards.huggingface.render_body`.
    """
    import re

    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if not console.is_terminal:
        print(text, end="")
        return
    # A terminal has no folding sections: each becomes a section with a heading.
    text = re.sub(r"<details>\n<summary>(.*)</summary>", r"## \1", text).replace("</details>", "")
    console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
