"""Distance from the training images: 1 where `finetune predict` starts to warn."""

from __future__ import annotations

import pytest

from cards.image_statistics import ChannelStatistics, ImageStatistics, Spread
from finetune.data.statistics import Measured
from finetune.inference.training_distance import training_distance

TRAINING = ImageStatistics(
    images=3,
    dtype="uint8",
    channels=[
        ChannelStatistics(
            dark=Spread(low=0.1, median=0.1, high=0.1),
            bright=Spread(low=0.4, median=0.5, high=0.6),
            middle=Spread(low=0.1, median=0.2, high=0.3),
        )
    ],
    diameter_px=Spread(low=20, median=22, high=24),
    pixel_size_um=Spread(low=0.2, median=0.2, high=0.2),
)
WITHIN = Measured((0.1,), (0.5,), (0.2,), "uint8", 22.0, 0.2)


@pytest.mark.parametrize(
    ("changes", "distance"),
    [
        ({}, 0),
        ({"bright": (0.2,)}, 1),  # half of the darkest
        ({"bright": (0.2,), "dtype": "uint16"}, 0),  # intensities of other types are not compared
        ({"bright": (0.0,)}, 0),
        ({"middle": (0.5,)}, 1),
        ({"middle": (0.9,)}, 3),
        ({"diameter": 36.0}, 1),
        ({"diameter": None}, 0),  # nothing was predicted
        ({"pixel_size": 0.25}, 1),
        ({"pixel_size": None}, 0),
        ({"pixel_size": 0.25, "middle": (0.9,)}, 3),
    ],
)
def test_the_largest_difference_counts_in_units_of_a_warning(
    changes: dict[str, object], distance: float
) -> None:
    assert training_distance(WITHIN._replace(**changes), TRAINING) == pytest.approx(distance)


def test_other_channels_are_not_compared() -> None:
    three = WITHIN._replace(bright=(0.5,) * 3, middle=(0.2,) * 3, dark=(0.1,) * 3)
    assert training_distance(three, TRAINING) is None
