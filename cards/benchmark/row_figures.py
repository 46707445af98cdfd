"""Figures of a row of a table of runs: means, paired differences and times."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mean:
    """Mean of a metric over images and seeds.

    Attributes:
        mean: over images, then over seeds.
        std: population standard deviation over images, averaged over seeds; None with fewer than two
            images.
        seed_std: sample standard deviation of the means of the seeds; None with a single seed.
        interval: 95 % interval of the mean from resampled images, each averaged over seeds; None with fewer
            than two images, or if it was not computed.
        images: number of images.
    """

    mean: float
    std: float | None
    seed_std: float | None
    interval: tuple[float, float] | None
    images: int


@dataclass(frozen=True)
class Paired:
    """Mean difference between two rows on the same images.

    Attributes:
        mean: of the differences of each image, averaged over seeds.
        interval: 95 % interval from resampled images; None with fewer than two images.
    """

    mean: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Times:
    """Times on one kind of hardware.

    Attributes:
        hardware: on which the network was trained and timed.
        training: mean training time in s.
        per_image: median time per image in s; None if not measured.
    """

    hardware: str
    training: float
    per_image: float | None
