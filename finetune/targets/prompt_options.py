"""Prompts: training options of an interactive model, which segments one instance per point or box.

Interactive segmentation has no target: a mask is the response to a prompt, not a map of the image, so
nothing is decoded. `Prompts` satisfies `LabelEncoding` only; the training maps of an image are its numbered
instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from finetune.targets.pixels import number_instances, orient_pixels, rescale_pixels
from finetune.utils.options import Options, build_options, option_errors

PROMPTS = "prompts"  # value of model.target in a recipe


class Prompts(Options):
    """How an interactive model is trained and evaluated."""

    instances: int = Field(
        16, ge=1, description="largest number of instances per image that are prompted in a training step"
    )
    corrections: int = Field(
        3, ge=0, description="correction points after the first prompt, each in an error of the previous mask"
    )
    automatic: Literal["grid", "foreground"] = Field(
        "grid",
        description="points for images without prompts: 'grid', by the mask generator of the model's "
        "package; 'foreground', at the centers of bright objects, in less time (accuracy not measured)",
    )

    name: ClassVar[str] = PROMPTS
    channels: ClassVar[int] = 1
    labels: ClassVar[Literal["instances"]] = "instances"
    keep_encoded: ClassVar[bool] = False
    loss_name: ClassVar[str] = (
        "20 × focal (alpha 0.25, gamma 2) + Dice, of the best mask, + L1 of the predicted IoU, summed over "
        "the rounds of prompts, then the mean over instances"
    )

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Number the instances consecutively.

        Args:
            labels: (H, W) integer, 0 is background.

        Returns:
            Maps (1, H, W) float32.
        """
        return number_instances(labels)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Rotate and mirror maps; see `finetune.targets.pixels.orient_pixels`.

        Args:
            maps: (1, H, W).
            rotations: quarter turns, 0 to 3.
            flip: whether to mirror left to right after the rotation.

        Returns:
            The oriented maps.
        """
        return orient_pixels(maps, rotations, flip)

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Resize maps by nearest neighbor.

        Args:
            maps: (1, H, W).
            shape: new height and width in pixels.

        Returns:
            Maps (1, *shape).
        """
        return rescale_pixels(maps, shape)

    def options(self) -> dict[str, Any]:
        """Options that rebuild this object.

        Returns:
            Values by option name.
        """
        return self.model_dump()


def build_prompts(options: Mapping[str, Any] | None = None) -> Prompts:
    """Build the training options of an interactive model.

    Args:
        options: `model.target_options` of a recipe.

    Returns:
        The options.

    Raises:
        InputError: if an option is unknown or its value is not allowed.
    """
    return build_options(Prompts, options, f"target '{PROMPTS}'")


def prompt_option_errors(options: Mapping[str, Any]) -> dict[str, str]:
    """Validate the training options of an interactive model without building them.

    Args:
        options: `model.target_options` of a recipe.

    Returns:
        One message per option that is wrong, by option name.
    """
    return option_errors(Prompts, options, f"target '{PROMPTS}'")
