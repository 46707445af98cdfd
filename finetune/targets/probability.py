"""Base class of the targets whose maps are probabilities per pixel, and their loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from finetune.targets.pixels import orient_pixels, rescale_pixels
from finetune.utils.options import NoOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

SMOOTH = 1.0  # pixels; see `probability_loss`


class ProbabilityTarget:
    """What the probability targets share: logits in, probabilities out, values independent of direction.

    A subclass adds `name`, `channels`, `labels`, `map_names`, `encode` and `decode`.
    """

    Options: ClassVar[type[BaseModel]] = NoOptions
    loss_name = "binary cross-entropy + soft Dice, per image"
    keep_encoded = whole = False
    exports_labels = False
    exported_axes: Literal["bcyx", "byxc"] = "bcyx"
    choices: dict[str, tuple[float, ...]] = {}
    stitching: Literal["pixels", "components", "instances"] = "instances"  # see finetune.inference.stitching

    settings: BaseModel

    def __init__(self, options: NoOptions | None = None) -> None:
        """Set the options.

        Args:
            options: the target has none; a subclass that has some overrides this method.
        """
        self.settings = options or NoOptions()

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Compute `probability_loss`.

        Args:
            output: logits (N, K, H, W).
            maps: encoded labels (N, K, H, W), from 0 to 1.

        Returns:
            A float32 scalar.
        """
        return probability_loss(output, maps)

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Convert logits to probabilities.

        Args:
            output: logits (N, K, H, W).

        Returns:
            Probabilities (N, K, H, W) float32.
        """
        return output.float().sigmoid()

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Rotate and mirror maps; see `finetune.targets.pixels.orient_pixels`.

        Args:
            maps: (K, H, W).
            rotations: quarter turns, 0 to 3.
            flip: whether to mirror left to right after the rotation.

        Returns:
            The oriented maps.
        """
        return orient_pixels(maps, rotations, flip)

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Resize maps by nearest neighbor.

        Args:
            maps: (K, H, W).
            shape: new height and width in pixels.

        Returns:
            Maps (K, *shape).
        """
        return rescale_pixels(maps, shape)

    def options(self) -> dict[str, Any]:
        """Options that rebuild this target.

        Returns:
            Values by option name.
        """
        return self.settings.model_dump()

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """No head: the post-processing takes raw output.

        Returns:
            None.
        """
        return None

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """Logits to probabilities: BioImage.IO has no operation for components or watersheds.

        Returns:
            BioImage.IO operations.
        """
        return [{"id": "sigmoid"}]


def probability_loss(output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy plus one minus soft Dice, per image, then the mean over images.

    The cross-entropy of an image is the mean over its pixels and maps. Its soft Dice is that of
    V-Net (Milletari, Navab & Ahmadi 2016, https://arxiv.org/abs/1606.04797, section 3), computed for each
    map and averaged over the maps:

        D = 2 Σ p g / (Σ p² + Σ g²)        p: predicted probability, g: map, sums over pixels

    with `SMOOTH` added to numerator and denominator: an empty map that is predicted as empty then has D = 1
    and a finite gradient. One pixel is small compared with any nucleus.

    Computed in float32, also under autocast: sums over 10⁵ pixels lose their last digits in bfloat16.

    Args:
        output: logits (N, K, H, W).
        maps: (N, K, H, W), from 0 to 1.

    Returns:
        A float32 scalar.
    """
    import torch
    import torch.nn.functional as F

    with torch.autocast(output.device.type, enabled=False):
        output, maps = output.float(), maps.float()
        entropy = F.binary_cross_entropy_with_logits(output, maps, reduction="none").mean(dim=(1, 2, 3))
        probability = output.sigmoid()
        overlap = (probability * maps).sum(dim=(2, 3))
        total = (probability.square() + maps.square()).sum(dim=(2, 3))
        dice = (2 * overlap + SMOOTH) / (total + SMOOTH)
        return (entropy + 1 - dice.mean(dim=1)).mean()
