"""Networks and targets that do not fit together are refused before training."""

from __future__ import annotations

from typing import Any

import pytest

from cards.errors import RecipeError
from finetune.pipeline.compatibility import check_output
from finetune.repositories.registry import Loaded, LoadOptions, load
from finetune.targets.registry import build_target

pytest.importorskip("stardist")
SMALL = {"width": 4, "depth": 1}


def stardist(channels: int, **options: Any) -> Loaded:
    """A small U-Net of StarDist."""
    start = LoadOptions(in_channels=1, out_channels=channels, options=SMALL | {"features": 8} | options)
    return load("stardist", "unet", start)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ({"grid": 2}, {}, "2 × 2 pixels of the image, the target rays expects 1 × 1"),
        ({}, {"grid": 2}, "1 × 1 pixels of the image, the target rays expects 2 × 2"),
        (
            {"foreground": True},
            {},
            "predicts the foreground beside its distances, the target rays expects none",
        ),
        ({}, {"foreground": True}, "predicts no foreground beside its distances, the target rays expects it"),
    ],
)
def test_grid_and_foreground_must_be_those_of_the_target(
    network: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    target = build_target("rays", options)
    with pytest.raises(RecipeError, match=message):
        check_output(stardist(target.channels, **network), target)


@pytest.mark.parametrize("options", [{}, {"grid": 2}, {"foreground": True}, {"grid": 2, "foreground": True}])
def test_the_same_options_for_both_will_do(options: dict[str, Any]) -> None:
    target = build_target("rays", options)
    check_output(stardist(target.channels, **options), target)


def test_other_networks_predict_as_many_maps_as_the_target_has() -> None:
    target = build_target("rays", {"foreground": True})
    start = LoadOptions(in_channels=1, out_channels=target.channels, options={"width": 8, "depth": 1})
    check_output(load("wipp", "unet", start), target)
