"""The summary that `finetune run` prints at its end: a table in a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finetune.cli.console import print_line, print_note, print_table

if TYPE_CHECKING:
    from cards.record import RunRecord

PLACES = {
    "huggingface": "model and card",
    "bioimageio": "BioImage.IO package",
    "native": "model in the format of its repository",
    "record.json": "all figures",
    "scores.csv": "accuracy of each image",
}

BLOCKS = "▁▂▃▄▅▆▇█"


def print_summary(record: RunRecord, out: Path) -> None:
    """Print accuracy, time, warnings and where everything is.

    Args:
        record: the run record.
        out: the run folder.
    """
    from cards.formatting import counted
    from cards.result_tables import spread

    terminal = sys.stdout.isatty()
    if record.accuracy and terminal:
        print_table(("", "before", "after", "change"), _rows(record))
        over = "mean ± standard deviation over" if record.accuracy.images > 1 else "on"
        print_line(f"{over} {counted(record.accuracy.images, 'test image')}")
    elif record.accuracy:
        print_line(_accuracy(record))
    for score in record.prompts:
        before = f"{score.before.mean:.4f}" if score.before else "untrained"
        iou = f"{score.kind}: IoU {spread(score.after)}"
        print_line(f"{iou} on {counted(len(score.images), 'test image')} (before: {before})")
    curve = [epoch.validation for epoch in record.training.history if epoch.validation is not None]
    if curve and terminal:
        print_line(f"validation: {sparkline(curve)} {curve[0]:.4f} to {curve[-1]:.4f}")
    if timing := record.timing:
        milliseconds = f"{1000 * timing.median_seconds:.0f} ms per image on {timing.device}"
        print_line(f"trained in {record.training.seconds:.0f} s; {milliseconds}")
    for warning in record.warnings:
        print_note(warning, "warning")
    report = out / "report.html"
    if terminal:
        print_table(("written to", str(out)), _places(out))
        print_line(f"open the report: {report}", style=f"bold link {report.resolve().as_uri()}")
    else:
        print_line(f"model, cards and packages: {out} (open {report})")


def sparkline(values: Sequence[float]) -> str:
    """Draw values as a line of blocks.

    Args:
        values: at least one.

    Returns:
        One character for each value: the lowest block for the lowest value, the highest for the highest.
    """
    low, spread = min(values), max(values) - min(values)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(top * (value - low) / spread) if spread else top] for value in values)


def _rows(record: RunRecord) -> Iterator[tuple[str, str, str, str]]:
    """Each metric before and after training, with the change of its mean."""
    from cards.formatting import NOT_MEASURED, signed
    from cards.result_tables import spread

    accuracy = record.accuracy
    assert accuracy is not None
    for metric in record.metrics:
        after = accuracy.after.summary.get(metric.name)
        before = accuracy.before.summary.get(metric.name) if accuracy.before else None
        gap = accuracy.before_note or NOT_MEASURED
        change = signed(after.mean - before.mean) if after and before else ""
        yield metric.label, spread(before) if before else gap, spread(after), change


def _places(out: Path) -> Iterator[tuple[str, str]]:
    """What the run folder holds, and where."""
    for name, meaning in PLACES.items():
        if (out / name).exists():
            yield meaning, name


def _accuracy(record: RunRecord) -> str:
    """Accuracy on one line, for logs and programs."""
    from cards.formatting import counted
    from cards.result_tables import spread

    accuracy = record.accuracy
    assert accuracy is not None
    after = accuracy.after.summary
    before = f"{accuracy.before.summary['dice'].mean:.4f}" if accuracy.before else accuracy.before_note
    dice = f"Dice {spread(after['dice'])} on {counted(accuracy.images, 'test image')}"
    dice = f"segmented without prompts: {dice}" if accuracy.labeled_by else dice
    others = [
        f", {metric.label} {after[metric.name].mean:.4f}"
        for metric in record.metrics
        if metric.headline and metric.name != "dice"
    ]
    return f"{dice} (before: {before}){''.join(others)}"
