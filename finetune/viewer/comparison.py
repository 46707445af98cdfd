"""Comparison of several runs: differences, paired accuracy and learning curves as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from cards import formatting as words
from cards.comparison import ABSENT, compare
from cards.metrics import PRIMARY
from cards.paired_scores import pair_images, paired_metrics
from cards.record import RunRecord

Runs = Mapping[str, RunRecord]
"""Records by the key of the run; the first is the one that the others are compared with."""


class PairedScore(TypedDict):
    """Scores of an image in the first run and in another."""

    image: str
    run: str
    first: float
    second: float
    change: float


def differences(runs: Runs) -> list[dict[str, str]]:
    """List the items that differ from the first run in at least one of the others.

    Args:
        runs: at least two.

    Returns:
        One row an item with the columns "Section", "Item" and the keys of the runs.
    """
    (first, record), *others = runs.items()
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for key, other in others:
        for section, found in compare(record, other).items():
            for one in found:
                row = rows.setdefault((section, one.item), {first: one.first})
                row[first], row[key] = one.first, one.second
    return [
        {
            "Section": section,
            "Item": item,
            **{key: row.get(key, row[first]) for key in runs},  # an item that is not listed is equal
        }
        for (section, item), row in rows.items()
    ]


def paired_accuracy(runs: Runs) -> list[dict[str, str]]:
    """Compare the accuracy of each run with that of the first, on the test images that both have in common.

    Args:
        runs: at least two.

    Returns:
        One row for each other run and metric.
    """
    from finetune.metrics.summary import paired_change

    (_, record), *others = runs.items()
    rows = []
    for key, other in others:
        pairs = pair_images(record, other)
        for metric in paired_metrics(pairs, record.metrics, paired_change):
            change = metric.interval
            rows.append(
                {
                    "Run": key,
                    "Metric": metric.label,
                    "Images": words.count(len(pairs)),
                    "first": words.score(metric.first.mean),
                    "This run": words.score(metric.second.mean),
                    "Change": words.signed(metric.difference),
                    "95 % interval": f"{words.signed(change.low)} to {words.signed(change.high)}"
                    if change
                    else ABSENT,
                    "Higher / lower": f"{metric.higher} / {metric.lower}",
                }
            )
    return rows


def unpaired(runs: Runs) -> list[str]:
    """Runs that share no scored test image with the first.

    Args:
        runs: at least two.

    Returns:
        Their keys.
    """
    (_, record), *others = runs.items()
    return [key for key, other in others if not pair_images(record, other)]


def paired_scores(runs: Runs) -> list[PairedScore]:
    """Dice of each image in common, in the first run and in each other run.

    Args:
        runs: at least two.

    Returns:
        One row for each image and other run.
    """
    (_, record), *others = runs.items()
    return [
        {
            "image": pair.image,
            "run": key,
            "first": pair.first.metrics[PRIMARY],
            "second": pair.second.metrics[PRIMARY],
            "change": pair.difference(PRIMARY),
        }
        for key, other in others
        for pair in pair_images(record, other)
        if pair.measured(PRIMARY)
    ]


def learning_curve(record: RunRecord) -> dict[str, list[float]]:
    """Loss and validation metric by epoch.

    Args:
        record: the run.

    Returns:
        The columns "epoch", "loss", and "validated" with "validation": epochs in which it was measured.
    """
    history = record.training.history
    measured = [(one.epoch, one.validation) for one in history if one.validation is not None]
    return {
        "epoch": [float(one.epoch) for one in history],
        "loss": [one.loss for one in history],
        "validated": [float(epoch) for epoch, _ in measured],
        "validation": [score for _, score in measured],
    }
