"""Queries: a set of answers, each an object of its own, matched to the instances while they are learned."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from finetune.targets import probability as shared

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

QUERIES = "queries"  # its name in a recipe, and what a network that has some is asked for


class Queries:
    """K maps, one a query: the probability that it has found an object, times that of each pixel to be in it.

    Mask2Former: Cheng et al. 2022, https://arxiv.org/abs/2112.01527. No query stands for one object from
    the start: in each step the Hungarian method matches queries to instances, and those without one learn to
    say so. So nothing can be encoded map by map, and what `encode` gives is the numbered instances. Queries
    of two tiles are not the same objects, either: images go through whole. An image has at most K objects.

    The loss is that of transformers (`Mask2FormerLoss`) with the weights of the paper, taken of each image by
    itself, and then the mean over images. The paper divides by the number of objects in the batch instead,
    over all processes, so that an image with many counts for more; which would make the gradient depend
    on how a batch is shared out.
    """

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

    def __init__(self, queries: int = 100, threshold: float = 0.5, min_size: int = 10) -> None:
        """Choose how many there are, and how labels are read back.

        Args:
            queries: K; 100 is what the published weights have, and another number starts from new queries.
            threshold: a pixel goes to its best query if that map is above.
            min_size: an object of fewer pixels is dropped: what is left of a query that lost to another.

        Raises:
            ValueError: if a value is impossible.
        """
        for key, number, least in (("queries", queries, 1), ("min_size", min_size, 0)):
            if type(number) is not int or number < least:
                raise ValueError(f"{key} must be a whole number from {least} on, not {number!r}")
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be from 0 to 1, not {threshold}")
        self.channels, self.threshold, self.min_size = queries, float(threshold), min_size
        self.map_names: tuple[str, ...] = tuple(f"query{number}" for number in range(queries))

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W) -> (1, H, W) float32, numbered without gaps, which float32 holds exactly."""
        from skimage.segmentation import relabel_sequential

        return relabel_sequential(labels)[0][None].astype(np.float32)

    def loss(self, output: Any, maps: torch.Tensor) -> torch.Tensor:
        """`QueryLogits` and numbered instances (N, 1, H, W) -> scalar, in float32 also under autocast.

        The points at which masks are compared are drawn from torch's generator. An instance that the patch
        cuts in two, or that is there a second time where a small image is continued by its mirror image, is
        two: they are told apart by what hangs together.
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
                wanted = instances(image[0])
                objects = torch.zeros(len(wanted), dtype=torch.int64, device=masks.device)
                for layer in range(len(masks)):
                    each = criterion(
                        masks[layer, number, None], classes[layer, number, None], [wanted], [objects]
                    )
                    losses.append(sum(weights[name] * value for name, value in each.items()))
            return torch.stack(losses).sum() / len(maps)

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """What the network gives in evaluation mode is maps already."""
        return output.float()

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Maps (K, H, W) -> labels (H, W) int32: each pixel to its best query, if above `threshold`."""
        found = np.where(maps.max(axis=0) > self.threshold, maps.argmax(axis=0) + 1, 0)
        kept = np.bincount(found.ravel(), minlength=len(maps) + 1) >= max(self.min_size, 1)
        kept[0] = False
        return (kept.cumsum() * kept)[found].astype(np.int32)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """See `finetune.targets.probability.orient_pixels`."""
        return shared.orient_pixels(maps, rotations, flip)

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """See `finetune.targets.probability.rescale_pixels`."""
        return shared.rescale_pixels(maps, shape)

    def options(self) -> dict[str, Any]:
        """How many queries, and how labels are read back."""
        return {"queries": self.channels, "threshold": self.threshold, "min_size": self.min_size}

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Maps -> labels, as `decode`: no operation of BioImage.IO does it.

        With its options filled in, it is no function whose source could go along; nor need it be, since
        networks that have queries go into packages as TorchScript and ONNX alone.
        """
        from finetune.targets.queries_head import best_queries

        return partial(best_queries, threshold=self.threshold, min_size=self.min_size)

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """None: the head gives labels."""
        return []


def instances(numbered: torch.Tensor) -> torch.Tensor:
    """Numbered instances (H, W) -> a mask each (n, H, W) float32; one in several parts gives several."""
    import torch
    from skimage.measure import label

    parts, count = label(numbered.cpu().numpy(), return_num=True, connectivity=2)
    numbers = torch.arange(1, count + 1, device=numbered.device)
    return (torch.from_numpy(parts).to(numbered.device) == numbers[:, None, None]).float()
