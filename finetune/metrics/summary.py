"""From scores of single images to what a card says of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cards.metrics import PRIMARY
from cards.scores import Change, ImageScore, Stage, Summary

WORST = 5


def summarize(scores: Sequence[ImageScore]) -> Stage:
    """Mean, population standard deviation and median of every metric, and the images with the lowest Dice.

    Raises:
        ValueError: if there are no scores.
    """
    if not scores:
        raise ValueError("no images to summarize")
    worst = sorted(scores, key=lambda score: (score.metrics[PRIMARY], score.image))[:WORST]
    return Stage(
        scores=list(scores),
        summary={name: spread([score.metrics[name] for score in scores]) for name in scores[0].metrics},
        worst=[score.image for score in worst],
    )


def paired_change(
    before: Sequence[ImageScore], after: Sequence[ImageScore], *, seed: int = 0, resamples: int = 9999
) -> Change | None:
    """Mean over images of Dice after minus Dice before, with a 95 % bootstrap interval.

    Images are paired by name, and resampled as pairs; the interval is the percentile interval (Efron &
    Tibshirani 1993, chapter 13), which stays defined where all images change by the same amount.

    Args:
        before: a score an image.
        after: the same images, in any order.
        seed: of the resampling.
        resamples: their number.

    Returns:
        The change, or None for a single image: one image says nothing of the spread.

    Raises:
        ValueError: if the two are not of the same images, or a name occurs twice.
    """
    earlier, later = _by_image(before), _by_image(after)
    if earlier.keys() != later.keys():
        odd = sorted(earlier.keys() ^ later.keys())
        raise ValueError(f"before and after are not of the same images: {', '.join(odd[:3])}")
    if len(earlier) < 2:
        return None
    from scipy.stats import bootstrap

    # In the order of names, so that the interval does not depend on the order of the scores.
    differences = np.array([later[image] - earlier[image] for image in sorted(earlier)])
    interval = bootstrap(
        (differences,), np.mean, n_resamples=resamples, batch=1000, method="percentile", rng=seed
    ).confidence_interval
    return Change(
        mean=float(differences.mean()),
        low=float(interval.low),
        high=float(interval.high),
        resamples=resamples,
    )


def spread(values: list[float]) -> Summary:
    """Mean, population standard deviation and median of at least one value."""
    return Summary(mean=float(np.mean(values)), std=float(np.std(values)), median=float(np.median(values)))


def _by_image(scores: Sequence[ImageScore]) -> dict[str, float]:
    dice = {score.image: score.metrics[PRIMARY] for score in scores}
    if len(dice) < len(scores):
        raise ValueError("an image was scored twice: names of images must differ")
    return dice
