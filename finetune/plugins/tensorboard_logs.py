"""TensorBoard logs of a run, and their values as the CSV files that WIPP reads for its model card."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from cards.record import RunRecord
from finetune.training.history import METRICS
from finetune.utils.optional import require

COLUMNS = ("wall_time", "step", "value")
"""Columns of the CSV files that TensorBoard exports and WIPP reads (its AiModelDataHandler.java)."""

Row = tuple[float, int, float]


def write_logs(run: Path, record: RunRecord, out: Path) -> None:
    """Write `train` and `test`, each with `accuracy.csv` and `loss.csv`, and copy the files for TensorBoard.

    `train/loss.csv` holds the training loss and `train/accuracy.csv` the Dice on the validation images, after
    each epoch. `test/accuracy.csv` holds the mean Dice on the test images after training and
    `test/loss.csv` its difference from 1; both have a header only if there are no test images.

    Args:
        run: the run folder.
        record: of the run.
        out: folder to create.
    """
    events = run / "logs" / "tensorboard"
    values = _scalars(events)
    validation = next((values[name] for name in METRICS if name in values), [])
    _write(out / "train" / "loss.csv", values.get("loss", []))
    _write(out / "train" / "accuracy.csv", validation)
    dice = record.accuracy.after.summary["dice"].mean if record.accuracy else None
    measured = [] if dice is None else [(time.time(), record.training.steps, dice)]
    _write(out / "test" / "accuracy.csv", measured)
    _write(out / "test" / "loss.csv", [(when, step, 1 - value) for when, step, value in measured])
    for file in events.glob("events.out.tfevents.*"):
        shutil.copyfile(file, out / "train" / file.name)


def _scalars(events: Path) -> dict[str, list[Row]]:
    require("tensorboard", "tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(events), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        tag: [(one.wall_time, one.step, one.value) for one in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def _write(path: Path, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
