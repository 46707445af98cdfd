"""Seconds of training until the validation Dice first reached a value, from the records of finished runs.

    uv run python benchmarks/time_to_dice.py runs/*
    uv run python benchmarks/time_to_dice.py RUN... --dice 0.9

Prints one row for each run. The time includes validation and, with cached features, the encoding before the
first epoch; it does not include preparation, evaluation and exports. Dice is measured where
`training.validate_every` asks for it, so it may have been reached up to that many epochs earlier. Records of
versions that did not note the time of each epoch give the mean time of an epoch times the number of epochs,
marked "about". Test images play no part.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cards import statements as facts
from cards.errors import InputError
from cards.markdown import table
from cards.reading import find_record
from cards.record import RunRecord
from cards.training import Epoch, Training

HEADER = ["run", "seed", "reached", "in epoch", "per epoch", "best Dice", "precision", "hardware"]


def first_epoch(training: Training, dice: float) -> Epoch | None:
    """The first epoch after which the validation Dice was at least `dice`; None if there is none."""
    measured = (epoch for epoch in training.history if epoch.validation_dice is not None)
    return next((epoch for epoch in measured if (epoch.validation_dice or 0) >= dice), None)


def seconds_until(training: Training, epoch: Epoch) -> tuple[float, bool]:
    """Seconds up to the end of an epoch, and whether they were measured; else from the mean of all epochs."""
    if epoch.seconds is not None:
        return epoch.seconds, True
    return training.seconds * epoch.epoch / training.epochs, False


def row(record: RunRecord, dice: float) -> list[str]:
    """A row under `HEADER`."""
    training = record.training
    values = [epoch.validation_dice for epoch in training.history if epoch.validation_dice is not None]
    epoch = first_epoch(training, dice)
    if epoch:
        seconds, measured = seconds_until(training, epoch)
        reached = f"{seconds:.1f} s" if measured else f"about {seconds:.1f} s"
    else:
        reached = "not reached" if values else "not measured"
    return [
        record.name,
        str(training.seed),
        reached,
        f"{epoch.epoch} of {training.epochs}" if epoch else "–",
        f"{training.seconds / training.epochs:.2f} s" if training.epochs else "–",
        f"{max(values):.4f}" if values else "–",
        training.precision,
        facts.trained_on(record),
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Print the table; 2 if a run cannot be read."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("runs", nargs="+", type=Path, help="run folders or record.json files")
    arguments.add_argument("--dice", type=float, default=0.93, help="validation Dice to reach, from 0 to 1")
    options = arguments.parse_args(given)
    if not 0 < options.dice <= 1:
        arguments.error(f"--dice must be greater than 0 and at most 1, got {options.dice:g}")
    try:
        rows = [row(find_record(run), options.dice) for run in options.runs]
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Validation Dice of at least {options.dice:g}\n")
    print(table([HEADER, *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
