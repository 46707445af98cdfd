"""Summary of metrics over images, and their paired change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cards.metrics import PRIMARY
from cards.scores import WORST, Change, ImageScore, Stage, Summary


def summarize(scores: Sequence[ImageScore]) -> Stage:
    """Summarize each metric over images: mean, population standard deviation, median.

    Args:
        scores: metrics of at least one image.

    Returns:
        The scores, their summary and the images with the lowest Dice.

    Raises:
        ValueError: if there are no scores.
    """
    if not scores:
        raise ValueError("no images to summarize")
    worst = sorted(scores, key=lambda score: (score.metrics[PRIMARY], score.image))[:WORST]
    return Stage(
        scores=list(scores),
        summary={name: Summary.of([score.metrics[name] for score in scores]) for name in scores[0].metrics},
        worst=[score.image for score in worst],
    )


def paired_change(
    before: Sequence[ImageScore], after: Sequence[ImageScore], *, seed: int = 0, resamples: int = 9999
) -> Change | None:
    """Mean over images of Dice after minus Dice before, with a 95 % bootstrap interval.

    Images are paired by name, and resampled as pairs; see `bootstrap_mean`.

    Args:
        before: scores before training, one for each image.
        after: scores of the same images after training, in any order.
        seed: of the bootstrap.
        resamples: number of bootstrap resamples.

    Returns:
        The change; None for a single image, which has no spread.

    Raises:
        ValueError: if the images differ or a name occurs twice.
    """
    earlier, later = _by_image(before), _by_image(after)
    if earlier.keys() != later.keys():
        odd = sorted(earlier.keys() ^ later.keys())
        raise ValueError(f"before and after are not of the same images: {', '.join(odd[:3])}")
    if len(earlier) < 2:
        return None
    # In the order of names, so that the interval does not depend on the order of the scores.
    differences = np.array([later[image] - earlier[image] for image in sorted(earlier)])
    low, high = bootstrap_mean(differences, seed=seed, resamples=resamples)
    return Change(mean=float(differences.mean()), low=low, high=high, resamples=resamples)


def bootstrap_mean(values: np.ndarray, *, seed: int = 0, resamples: int = 9999) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of a mean over images.

    It is the percentile interval (Efron & Tibshirani 1993, chapter 13), which stays defined where all values
    are equal.

    Args:
        values: (images,) one value for each image, at least two.
        seed: of the bootstrap.
        resamples: number of bootstrap resamples.

    Returns:
        Lower and upper end.
    """
    from scipy.stats import bootstrap

    interval = bootstrap(
        (values,), np.mean, n_resamples=resamples, batch=1000, method="percentile", rng=seed
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _by_image(scores: Sequence[ImageScore]) -> dict[str, float]:
    dice = {score.image: score.metrics[PRIMARY] for score in scores}
    if len(dice) < len(scores):
        raise ValueError("an image was scored twice: names of images must differ")
    return dice
