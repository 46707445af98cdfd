"""The metrics that evaluate a segmentation, by name.

A metric is a function in a module of this package and an entry in `METRICS`. The entry also states label and
meaning, which the run record keeps: tables, cards and scores.csv show every metric of the record, so that
`cards` needs no list of its own. `register_metric` adds a metric from outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from pydantic import ValidationError

from cards.errors import InputError
from cards.metrics import MetricDescription
from finetune.metrics.dice import dice
from finetune.metrics.instances import Matches, average_precision, match_instances, panoptic_quality
from finetune.utils.registration import Registry

Pair = tuple[np.ndarray, np.ndarray]
RESERVED = ("image", "stage", "seconds")  # other columns of scores.csv


@dataclass(frozen=True)
class Metric:
    """A function with everything that a card states about it.

    Attributes:
        function: takes prediction and reference, each (H, W) integer, 0 is background; with `from_matches`
            the `Matches` of both instead. Returns a finite number.
        label: name in tables.
        meaning: formula or definition in one line.
        compares: "pixels" for the label image of the target, which may be a boundary, or "instances" for a
            label image in which each instance has its own integer.
        from_matches: whether the function takes the matching of instances, which is computed once an image.
        headline: whether summaries and the Hugging Face metadata show the metric.
        higher_is_better: whether a larger value is a better segmentation.
        minimum: lower end of the range; None if there is none.
        maximum: upper end of the range; None if there is none.
    """

    function: Callable[[np.ndarray, np.ndarray], float] | Callable[[Matches], float]
    label: str
    meaning: str
    compares: Literal["pixels", "instances"] = "instances"
    from_matches: bool = False
    headline: bool = True
    higher_is_better: bool = True
    minimum: float | None = 0.0
    maximum: float | None = 1.0

    def describe(self, name: str) -> MetricDescription:
        """Describe the metric for the record.

        Args:
            name: key in `METRICS`.

        Returns:
            Everything but the function.
        """
        return MetricDescription(
            name=name,
            label=self.label,
            meaning=self.meaning,
            compares=self.compares,
            headline=self.headline,
            higher_is_better=self.higher_is_better,
            minimum=self.minimum,
            maximum=self.maximum,
        )


def _check_component(name: str, metric: Metric) -> None:
    """Check a metric from outside; its name becomes a column of scores.csv."""
    if name in RESERVED:
        raise InputError(f"metric '{name}': the name is taken; choose another one")
    try:
        metric.describe(name)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{first['loc'][0]}: {first['msg'].lower()}"
        if first["loc"] == ("name",):
            reason = "use lower-case letters, digits and underscores, starting with a letter"
        raise InputError(f"metric '{name}': {reason}") from error


METRICS: Registry[Metric] = Registry(
    "metric",
    {
        "dice": Metric(dice, label="Dice", meaning="2 TP / (2 TP + FP + FN) over pixels", compares="pixels"),
        "ap50": Metric(
            partial(average_precision, threshold=0.5),
            label="AP50",
            meaning="TP / (TP + FP + FN) over instances; a true positive has an IoU of at least 0.5",
            from_matches=True,
        ),
        "ap75": Metric(
            partial(average_precision, threshold=0.75),
            label="AP75",
            meaning="as AP50, at an IoU of 0.75",
            from_matches=True,
            headline=False,
        ),
        "ap90": Metric(
            partial(average_precision, threshold=0.9),
            label="AP90",
            meaning="as AP50, at an IoU of 0.9",
            from_matches=True,
            headline=False,
        ),
        "pq": Metric(
            panoptic_quality,
            label="PQ",
            meaning="panoptic quality at an IoU of 0.5: mean IoU of the true positives × F1 score",
            from_matches=True,
        ),
    },
    needs=("function", "label", "meaning"),
    check=_check_component,
)


def register_metric(
    name: str,
    function: Callable[[np.ndarray, np.ndarray], float],
    *,
    label: str,
    meaning: str,
    compares: Literal["pixels", "instances"] = "instances",
    headline: bool = True,
    higher_is_better: bool = True,
    minimum: float | None = 0.0,
    maximum: float | None = 1.0,
) -> None:
    """Add a metric to every evaluation, scores.csv, record, summary and card.

    Args:
        name: column of scores.csv: lower-case letters, digits and underscores.
        function: takes prediction and reference, label images (H, W) integer, 0 is background, and returns a
            finite number. Two empty images should score as well as possible.
        label: name in tables, e.g. "Count error".
        meaning: formula or definition in one line.
        compares: "instances" if each instance has its own integer in both images, "pixels" for the label
            image of the target as it is, e.g. a boundary.
        headline: whether summaries and the Hugging Face metadata show the metric.
        higher_is_better: whether a larger value is a better segmentation.
        minimum: lower end of the range; None if there is none.
        maximum: upper end of the range; None if there is none.

    Raises:
        InputError: if the name is taken or invalid.
    """
    metric = Metric(function, label, meaning, compares, False, headline, higher_is_better, minimum, maximum)
    METRICS.register(name, metric)


def describe_metrics() -> list[MetricDescription]:
    """Describe all metrics for the record.

    Returns:
        Descriptions in the order of tables and columns.
    """
    return [metric.describe(name) for name, metric in METRICS.items()]


def compute_metrics(
    prediction: np.ndarray,
    reference: np.ndarray,
    instances: Pair | None = None,
    names: Iterable[str] | None = None,
    matches: Matches | None = None,
) -> dict[str, float]:
    """Compute metrics of one image. Instances are matched once for all metrics that need it.

    Args:
        prediction: label image (H, W) integer or bool, 0 is background.
        reference: label image of the same shape.
        instances: prediction and reference with one integer for each instance, where the label images hold
            something else, e.g. boundaries.
        names: keys of `METRICS`; all by default.
        matches: of the instances, if they have been matched before.

    Returns:
        Value by name.

    Raises:
        ValueError: if the shapes differ.
        InputError: if a metric returns a number that is not finite or outside its range.
    """
    pixels, instances = (prediction, reference), instances or (prediction, reference)
    values = {}
    for name in METRICS if names is None else names:
        metric = METRICS[name]
        if metric.from_matches:
            matches = matches or match_instances(*instances)
            value = metric.function(matches)  # type: ignore[call-arg, arg-type]
        else:
            pair = instances if metric.compares == "instances" else pixels
            value = metric.function(*pair)  # type: ignore[call-arg, arg-type]
        values[name] = _checked(name, metric, value)
    return values


def _checked(name: str, metric: Metric, value: float) -> float:
    low = -math.inf if metric.minimum is None else metric.minimum
    high = math.inf if metric.maximum is None else metric.maximum
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(
            f"metric {name!r} returned {value}: expected a finite number from {low:g} to {high:g}"
        )
    return float(value)
