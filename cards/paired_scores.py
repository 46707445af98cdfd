"""Accuracy of two runs, image by image, on the test images that both have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from cards.metrics import PRIMARY, MetricDescription
from cards.record import RunRecord
from cards.scores import Change, ImageScore, Summary

Interval = Callable[[Sequence[ImageScore], Sequence[ImageScore]], Change | None]
"""Computes the paired change of the Dice with its confidence interval, e.g. by a bootstrap."""


@dataclass(frozen=True)
class ImagePair:
    """Scores of one image in both runs.

    Attributes:
        image: its name in the first run.
        first: score in the first run.
        second: score in the second run.
    """

    image: str
    first: ImageScore
    second: ImageScore

    def measured(self, metric: str) -> bool:
        """Whether both runs measured a metric.

        Args:
            metric: its name.

        Returns:
            True if both did.
        """
        return metric in self.first.metrics and metric in self.second.metrics

    def difference(self, metric: str) -> float:
        """Second minus first.

        Args:
            metric: name of a metric that both runs measured.

        Returns:
            The difference.
        """
        return self.second.metrics[metric] - self.first.metrics[metric]


@dataclass(frozen=True)
class PairedMetric:
    """A metric over the images in common.

    Attributes:
        label: name of the metric.
        first: summary of the first run.
        second: summary of the second run.
        difference: mean of second minus first.
        interval: the paired change with its confidence interval; None if it was not computed.
        higher: number of images on which the second run's value is higher.
        lower: number of images on which the second run's value is lower.
    """

    label: str
    first: Summary
    second: Summary
    difference: float
    interval: Change | None
    higher: int
    lower: int


def pair_images(first: RunRecord, second: RunRecord) -> list[ImagePair]:
    """Pair the scores of the images that both runs tested on, by the hashes of image and label image.

    Args:
        first: a run.
        second: another run.

    Returns:
        Pairs in the order of the first run.
    """
    scores, others = _by_pixels(first), _by_pixels(second)
    return [
        ImagePair(score.image, score, others[pixels]) for pixels, score in scores.items() if pixels in others
    ]


def _by_pixels(record: RunRecord) -> dict[tuple[str, str], ImageScore]:
    if record.accuracy is None:
        return {}
    split = record.accuracy.split
    pixels = {
        file.name: (file.image_pixels, file.label_pixels) for file in record.data.files if file.split == split
    }
    return {pixels[score.image]: score for score in record.accuracy.after.scores if score.image in pixels}


def paired_metrics(
    pairs: Sequence[ImagePair], metrics: Sequence[MetricDescription], interval: Interval | None = None
) -> list[PairedMetric]:
    """Compare each metric over pairs.

    Args:
        pairs: from `pair_images`.
        metrics: of either run; a metric that one run did not measure is left out.
        interval: computes the confidence interval of the change in Dice.

    Returns:
        One entry for each metric; empty without pairs.
    """
    found = []
    for metric in metrics:
        name = metric.name
        if not pairs or any(
            name not in score.metrics for pair in pairs for score in (pair.first, pair.second)
        ):
            continue
        differences = [pair.difference(name) for pair in pairs]
        change = None
        if interval and name == PRIMARY:
            # Both under the same names: the runs may name an image differently.
            second = [pair.second.model_copy(update={"image": pair.image}) for pair in pairs]
            change = interval([pair.first for pair in pairs], second)
        found.append(
            PairedMetric(
                label=metric.label,
                first=Summary.of([pair.first.metrics[name] for pair in pairs]),
                second=Summary.of([pair.second.metrics[name] for pair in pairs]),
                difference=fmean(differences),
                interval=change,
                higher=sum(difference > 0 for difference in differences),
                lower=sum(difference < 0 for difference in differences),
            )
        )
    return found
