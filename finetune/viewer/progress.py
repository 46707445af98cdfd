"""Progress of a run that has no record yet, read from its log."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from cards.errors import InputError
from cards.formatting import duration
from finetune.pipeline.start_state import is_marked, read_marker

LOG = "metrics.csv"
METRICS = ("validation_dice", "validation_iou")


@dataclass
class Progress:
    """What an unfinished run has logged.

    Attributes:
        planned: number of epochs; None if the run does not say.
        loss: training loss by epoch; the first epoch is 1.
        validation: validation metric by epoch.
        seconds_left: estimate from the time of the epochs so far; None before the second epoch.
    """

    planned: int | None = None
    loss: dict[int, float] = field(default_factory=dict)
    validation: dict[int, float] = field(default_factory=dict)
    seconds_left: float | None = None

    @property
    def epochs(self) -> int:
        """Number of completed epochs."""
        return max(self.loss, default=0)


def read_progress(folder: Path) -> Progress:
    """Read the log of an unfinished run.

    Args:
        folder: the folder of the run, `<name>.partial`.

    Returns:
        The progress; empty if nothing was logged. A line that is just being written is left out.
    """
    progress = Progress(planned=_planned(folder))
    logs = sorted(folder.glob(f"logs/csv_*/{LOG}"), key=lambda log: (len(log.parent.name), log.parent.name))
    for log in logs:  # one for each time the run was resumed
        _read(log, progress)
    if logs and progress.planned is not None and progress.epochs > 1:
        progress.seconds_left = _seconds_left(logs[-1], progress)
    return progress


def _planned(folder: Path) -> int | None:
    if not is_marked(folder):
        return None
    try:
        epochs = read_marker(folder)["recipe"]["training"]["epochs"]
    except (InputError, KeyError, TypeError):  # the run has not begun
        return None
    return epochs if isinstance(epochs, int) else None


def _read(log: Path, progress: Progress) -> None:
    try:
        complete = log.read_text(encoding="utf-8").rpartition("\n")[0]  # the last line may be half-written
        for row in csv.DictReader(complete.splitlines()):
            epoch = int(row["epoch"]) + 1
            if row.get("loss"):
                progress.loss[epoch] = float(row["loss"])
            for metric in METRICS:
                if row.get(metric):
                    progress.validation[epoch] = float(row[metric])
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        return


def _seconds_left(log: Path, progress: Progress) -> float | None:
    """The folder of the log is as old as its first line, the log as its last."""
    try:
        span = log.stat().st_mtime - log.parent.stat().st_mtime
        with log.open(encoding="utf-8") as file:
            logged = len({line.split(",", 1)[0] for line in file} - {"epoch"})
    except OSError:
        return None
    if logged < 2 or span <= 0 or progress.planned is None:
        return None
    return (progress.planned - progress.epochs) * span / (logged - 1)


def progress_in_words(progress: Progress) -> str:
    """State the progress.

    Args:
        progress: of a run.

    Returns:
        Such as "no record yet: in progress or stopped after epoch 3 of 10; about 2 min left if it runs".
    """
    if not progress.epochs:
        return "no record yet: the run has just begun, or was stopped before its first epoch ended"
    planned = f" of {progress.planned}" if progress.planned else ""
    left = f"; about {duration(progress.seconds_left)} left if it runs" if progress.seconds_left else ""
    return f"no record yet: in progress or stopped after epoch {progress.epochs}{planned}{left}"
