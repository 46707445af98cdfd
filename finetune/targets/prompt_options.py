"""Prompts: what a recipe says in the place of a target where a person asks for one instance after the other.

They are no target: masks are not maps of the image but answers, so nothing is encoded or read back. What
the data and the record ask of a target they have: the "maps" of an image are its numbered instances.
"""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from cards.errors import RecipeError
from finetune.errors import unknown
from finetune.targets import probability as shared

PROMPTS = "prompts"  # model.target of a recipe


@dataclass(frozen=True)
class Prompts:
    """How a promptable model is trained and measured.

    Attributes:
        instances: most of an image that are asked for in a training step, and in validation.
        corrections: points that follow the first prompt, each where the last answer was wrong.
    """

    instances: int = 16
    corrections: int = 3

    name: ClassVar[str] = PROMPTS
    channels: ClassVar[int] = 1
    labels: ClassVar[Literal["instances"]] = "instances"
    keep_encoded: ClassVar[bool] = False
    loss_name: ClassVar[str] = (
        "20 × focal (alpha 0.25, gamma 2) + Dice, of the best mask, + L1 of the predicted IoU, summed over "
        "the rounds of prompts, then the mean over instances"
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for option, least in (("instances", 1), ("corrections", 0)):
            value = getattr(self, option)
            if type(value) is not int or value < least:
                raise RecipeError(
                    f"model.target_options.{option} is a whole number from {least} on, not {value!r}"
                )

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W) -> (1, H, W) float32, numbered without gaps, which float32 holds exactly."""
        from skimage.segmentation import relabel_sequential

        return relabel_sequential(labels)[0][None].astype(np.float32)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """See `finetune.targets.probability.orient_pixels`."""
        return shared.orient_pixels(maps, rotations, flip)

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """See `finetune.targets.probability.rescale_pixels`."""
        return shared.rescale_pixels(maps, shape)

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build it again."""
        return asdict(self)


def build_prompts(options: dict[str, Any] | None = None) -> Prompts:
    """Build it from `model.target_options`.

    Raises:
        RecipeError: if there is no such option, or an option is impossible.
    """
    known = inspect.signature(Prompts).parameters
    for option in options or {}:
        if option not in known:
            raise unknown(f"option of target '{PROMPTS}'", option, known)
    return Prompts(**options or {})
