"""Queries: a set of object masks that are matched to the instances during training (Mask2Former)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field

from finetune.targets.pixels import number_instances, orient_pixels, rescale_pixels
from finetune.utils.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

QUERIES = "queries"  # value of model.target in a recipe


class QueriesOptions(Options):
    """Number of queries, and how labels are decoded."""

    queries: int = Field(
        100, ge=1, description="number of queries; 100 as in the published weights, others start untrained"
    )
    threshold: float = Field(
        0.5, ge=0, le=1, description="pixels whose best query is higher are labeled with that query"
    )
    min_size: int = Field(10, ge=0, description="size of the smallest object in pixels")


class Queries:
    """K maps, one per query: its object probability times the probability of each pixel to belong to it.

    Mask2Former: Cheng et al. 2022, https://arxiv.org/abs/2112.01527. Queries are not assigned to objects
    beforehand: in each step the Hungarian method matches queries to instances, and unmatched queries learn to
    predict "no object". Maps therefore cannot be encoded one by one, and `encode` returns the numbered
    instances. The queries of two tiles do not correspond, so images are never tiled. An image has at most K
    objects.

    The loss is that of transformers (`Mask2FormerLoss`) with the weights of the paper, computed per image and
    averaged over images. The paper divides by the number of objects in the batch over all processes instead,
    which gives images with many objects more weight and makes the gradient depend on how a batch is
    distributed.
    """

    Options: ClassVar[type[BaseModel]] = QueriesOptions

    name = QUERIES
    labels: Literal["instances", "boundary"] = "instances"
    loss_name = (
        "2 × cross-entropy of object or none (none × 0.1) + 5 × binary cross-entropy and 5 × Dice of the "
        "masks at 12,544 points, of queries matched to instances, summed over the decoder's layers, "
        "per image, as Mask2Former's"
    )
    keep_encoded = False
    whole = True
    exports_labels = True
    exported_axes: Literal["bcyx", "byxc"] = "bcyx"
    choices: dict[str, tuple[float, ...]] = {"threshold": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)}

    def __init__(self, options: QueriesOptions | None = None) -> None:
        """Set the options.

        Args:
            options: the defaults if None.
        """
        self.settings = options or QueriesOptions()
        self.channels = self.settings.queries
        self.map_names: tuple[str, ...] = tuple(f"query{number}" for number in range(self.channels))

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Number the instances consecutively.

        Args:
            labels: (H, W) integer, 0 is background.

        Returns:
            Maps (1, H, W) float32.
        """
        return number_instances(labels)

    def loss(self, output: Any, maps: torch.Tensor) -> torch.Tensor:
        """Mask2Former's loss after Hungarian matching, in float32 also under autocast.

        The points at which masks are compared are drawn from torch's generator. An instance that the patch
        cuts in two, or that is repeated where a small image is continued by its mirror image, counts as
        two: instances are split into connected components.

        Args:
            output: a `finetune.networks.mask2former.QueryLogits`.
            maps: numbered instances (N, 1, H, W).

        Returns:
            A float32 scalar.
        """
        import torch
        from transformers import Mask2FormerConfig
        from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss

        config: Any = Mask2FormerConfig()  # its loss weights and numbers of points are the paper's
        config.num_labels = 1  # an object; none is counted besides
        weights = {
            "loss_cross_entropy": config.class_weight,
            "loss_mask": config.mask_weight,
            "loss_dice": config.dice_weight,
        }
        with torch.autocast(maps.device.type, enabled=False):
            classes, masks = output.classes.float(), output.masks.float()
            criterion = Mask2FormerLoss(config, weights).to(masks.device)
            losses = []
            for number, image in enumerate(maps):
                masks_true = instances(image[0])
                objects = torch.zeros(len(masks_true), dtype=torch.int64, device=masks.device)
                for layer in range(len(masks)):
                    each = criterion(
                        masks[layer, number, None], classes[layer, number, None], [masks_true], [objects]
                    )
                    losses.append(sum(weights[name] * value for name, value in each.items()))
            return torch.stack(losses).sum() / len(maps)

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Convert to float32: in evaluation mode the network returns maps.

        Args:
            output: (N, K, H, W).

        Returns:
            Maps (N, K, H, W) float32.
        """
        return output.float()

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Assign each pixel to its best query, if that exceeds the threshold.

        Args:
            maps: (K, H, W) float32, from 0 to 1.

        Returns:
            Labels (H, W) int32, 0 is background.
        """
        best = np.where(maps.max(axis=0) > self.settings.threshold, maps.argmax(axis=0) + 1, 0)
        kept = np.bincount(best.ravel(), minlength=len(maps) + 1) >= max(self.settings.min_size, 1)
        kept[0] = False
        return (kept.cumsum() * kept)[best].astype(np.int32)

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
        """Decoding in torch, because no BioImage.IO operation does it.

        The source of a partial function cannot be copied into a package. It need not be: networks with
        queries are packaged as TorchScript and ONNX only.

        Returns:
            A function from maps (N, K, H, W) to labels (N, 1, H, W) int32.
        """
        from finetune.targets.queries_head import best_queries

        return partial(best_queries, threshold=self.settings.threshold, min_size=self.settings.min_size)

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """No operation: the head returns labels.

        Returns:
            An empty list.
        """
        return []


def instances(numbered: torch.Tensor) -> torch.Tensor:
    """Split a label image into binary masks, one per 8-connected component of an instance.

    Args:
        numbered: labels (H, W), 0 is background.

    Returns:
        Masks (n, H, W) float32, 0 or 1, on the same device.
    """
    import torch
    from skimage.measure import label

    parts, count = label(numbered.cpu().numpy(), return_num=True, connectivity=2)
    numbers = torch.arange(1, count + 1, device=numbered.device)
    return (torch.from_numpy(parts).to(numbered.device) == numbers[:, None, None]).float()
