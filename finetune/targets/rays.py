"""Rays: in every pixel an object probability and the distances to the edge of its object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from finetune.targets.pixels import orient_pixels, rescale_pixels
from finetune.targets.rays_options import RaysOptions
from finetune.targets.rays_outlines import least_probability, outlines

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

# Width of the margin, in pixels of the grid, in which no polygon is proposed. StarDist's default is 2, and
# loses small objects at the image border: of every fifth mask of DSB 2018 train, `decode(encode(labels))`
# then keeps an AP at 0.5 of 0.976 with grid 1 and of 0.927 with grid 2; with 0 it is 0.993 and 0.987.
BORDER = 0
# StarDist's weights of the distances, and of those predicted for the background (`Config2D` in
# stardist/models/model2d.py: train_loss_weights, train_background_reg), and Keras' smallest divisor.
DISTANCE_WEIGHT, BACKGROUND_WEIGHT, EPSILON = 0.2, 1e-4, 1e-7
LOSS = (
    "binary cross-entropy of {} + 0.2 × mean absolute error of distances, weighted by probability, "
    "as StarDist's"
)
# Candidates of `outline_threshold` if it is compared with the foreground.
FOREGROUND_THRESHOLDS = (0.0, 0.4, 0.5, 0.6)


class Rays:
    """1 + n maps: object probability, and the distance to the object's edge along each of n rays, in pixels.

    With the option `foreground` there is one more map, the last: whether a pixel belongs to any object.

    StarDist: Schmidt, Weigert, Broaddus & Myers 2018, https://doi.org/10.1007/978-3-030-00934-2_30. The
    probability is the distance to the nearest pixel outside, relative to the greatest of the object. Ray k
    points to (y, x) = (sin, cos) of 2πk/n. Each pixel with a probability above a threshold proposes a
    polygon; of overlapping polygons the most probable is kept. Encoding, non-maximum suppression and
    rasterization are those of the package stardist.

    With a grid of 2 the network predicts every other pixel of every other row, at a quarter of the
    cost. Maps have the size of the image all the same, so that only this class depends on the grid.
    """

    Options: ClassVar[type[BaseModel]] = RaysOptions

    name = "rays"
    labels: Literal["instances", "boundary"] = "instances"
    loss_name = LOSS.format("probability")
    keep_encoded = True
    whole = False
    exported_axes: Literal["bcyx", "byxc"] = "byxc"  # the operation gives no other
    choices: dict[str, tuple[float, ...]] = {
        "prob_threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
        "nms_threshold": (0.3, 0.4, 0.5),
        "outline_threshold": (0.0, 0.07, 0.1, 0.13),
    }
    tentative: dict[str, float] = {}
    refinement = "outline_threshold"

    def __init__(self, options: RaysOptions | None = None) -> None:
        """Set the options.

        Args:
            options: the defaults if None.
        """
        self.settings = options or RaysOptions()
        self.rays, self.grid = self.settings.rays, self.settings.grid
        self.channels = 1 + self.rays
        self.map_names: tuple[str, ...] = ("probability", *(f"distance{ray}" for ray in range(self.rays)))
        self.outlined = 0  # the map from which outlines are taken
        if self.settings.foreground:
            self.outlined = self.channels
            self.channels += 1
            self.map_names += ("foreground",)
            self.choices = self.choices | {"outline_threshold": FOREGROUND_THRESHOLDS}
            self.tentative = {"outline_threshold": 0.5}
            self.loss_name = LOSS.format("probability and foreground")

    @property
    def exports_labels(self) -> bool:
        """Whether packages end in labels: BioImage.IO has an operation for polygons, but not for outlines."""
        return not (self.settings.outline_threshold or self.settings.foreground)

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Encode object probability and ray distances.

        Args:
            labels: (H, W) integer, 0 is background.

        Returns:
            Maps (K, H, W) float32: probability, distances in pixels, and foreground, if asked for.
        """
        import warnings

        from stardist.geometry import star_dist
        from stardist.utils import edt_prob

        if labels.max(initial=0) >= 2**16:  # stardist would cut off the higher bits
            values, indices = np.unique(labels, return_inverse=True)
            labels = indices.reshape(labels.shape) + (values[0] != 0)
        labels = labels.astype(np.int32)
        maps = np.empty((self.channels, *labels.shape), np.float32)
        with warnings.catch_warnings():  # of an image that is one object from edge to edge
            warnings.simplefilter("ignore", UserWarning)
            maps[0] = edt_prob(labels)
        maps[1 : 1 + self.rays] = np.moveaxis(star_dist(labels, self.rays), -1, 0)
        if self.settings.foreground:
            maps[-1] = labels != 0
        return maps

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """StarDist's loss (stardist/models/base.py, `prepare_for_training`), computed per image.

        Binary cross-entropy of the probability p, over pixels, plus `DISTANCE_WEIGHT` times that of the
        distances: mean(p |d' - d|) / mean(p) + `BACKGROUND_WEIGHT` mean((1 - p) |d'|), over pixels and rays.
        The binary cross-entropy of the foreground is added with a weight of 1, as that of StarDist's classes.
        In float32 also under autocast.

        Args:
            output: raw output (N, K, H / grid, W / grid), compared with the pixels of the grid.
            maps: encoded labels (N, K, H, W).

        Returns:
            A float32 scalar.
        """
        import torch
        import torch.nn.functional as F

        with torch.autocast(output.device.type, enabled=False):
            output, maps = output.float(), maps[..., :: self.grid, :: self.grid].float()
            probability, distances = maps[:, :1], maps[:, 1 : 1 + self.rays]
            predicted = output[:, 1 : 1 + self.rays]
            entropy = F.binary_cross_entropy_with_logits(output[:, :1], probability, reduction="none")
            error = (probability * (predicted - distances).abs()).mean(dim=(1, 2, 3))
            error = error / (probability.mean(dim=(1, 2, 3)) + EPSILON)
            outside = ((1 - probability) * predicted.abs()).mean(dim=(1, 2, 3))
            distance = error + BACKGROUND_WEIGHT * outside
            loss = (entropy.mean(dim=(1, 2, 3)) + DISTANCE_WEIGHT * distance).mean()
            if self.settings.foreground:
                loss = loss + F.binary_cross_entropy_with_logits(output[:, -1], maps[:, -1])
            return loss

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Convert raw output to probabilities and distances, and repeat each pixel of the grid.

        Args:
            output: raw output (N, K, H / grid, W / grid).

        Returns:
            Maps (N, K, H, W) float32.
        """
        from finetune.targets.rays_head import proposals, proposals_and_foreground

        head = proposals_and_foreground if self.settings.foreground else proposals
        maps = head(output.float()).movedim(-1, 1)
        return maps.repeat_interleave(self.grid, -2).repeat_interleave(self.grid, -1)

    def used(self, maps: np.ndarray) -> np.ndarray:
        """Pixels that propose a polygon or an outline: `decode` does not read the maps of any other.

        Args:
            maps: (K, h, w) float32, of a part of an image that starts at a pixel of the grid.

        Returns:
            (h, w) bool.
        """
        on_grid = np.zeros(maps.shape[1:], bool)
        on_grid[:: self.grid, :: self.grid] = True
        used, threshold = maps[0] > self.settings.prob_threshold, self.settings.outline_threshold
        if threshold:
            used |= maps[self.outlined] > least_probability(threshold)
        return np.asarray(on_grid & used)

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Select and rasterize polygons by StarDist's non-maximum suppression, and find outlines if asked to.

        Args:
            maps: (K, H, W) float32.

        Returns:
            Labels (H, W) int32, 0 is background.
        """
        from stardist.geometry import polygons_to_label
        from stardist.nms import non_maximum_suppression_inds

        probability = maps[0, :: self.grid, :: self.grid]
        proposed = probability > self.settings.prob_threshold
        points = np.stack(np.nonzero(proposed), axis=1) * self.grid
        distances = np.moveaxis(maps[1 : 1 + self.rays, :: self.grid, :: self.grid], 0, -1)[proposed]
        # As `stardist.nms.non_maximum_suppression`, but of equal probabilities the last pixel comes first:
        # this does not depend on other proposals, so a part of an image gives the polygons of the image.
        order = np.argsort(probability[proposed], kind="stable")[::-1]
        points, distances, scores = points[order], distances[order], probability[proposed][order]
        kept = non_maximum_suppression_inds(
            distances,
            points.astype(np.int32),
            scores=scores,
            use_bbox=True,
            use_kdtree=True,
            thresh=self.settings.nms_threshold,
            verbose=False,
        )
        labels = polygons_to_label(distances[kept], points[kept], shape=maps.shape[1:], prob=scores[kept])
        return self.refine(labels, maps)

    def refine(self, labels: np.ndarray, maps: np.ndarray) -> np.ndarray:
        """The last step of `decode`: outlines instead of polygons, if asked to.

        Args:
            labels: (H, W) integer, the polygons.
            maps: (K, H, W) float32.

        Returns:
            Labels (H, W).
        """
        threshold = self.settings.outline_threshold
        if not threshold:
            return labels
        return outlines(labels, maps[self.outlined, :: self.grid, :: self.grid], self.grid, threshold)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Rotate and mirror the pixels, and permute the rays.

        Args:
            maps: (K, H, W).
            rotations: quarter turns, 0 to 3.
            flip: whether to mirror left to right after the rotation.

        Returns:
            The oriented maps.
        """
        maps = orient_pixels(maps, rotations, flip)
        ray = np.arange(self.rays)
        if flip:  # an angle a was 180° - a before
            ray = self.rays // 2 - ray
        ray = (ray + rotations * self.rays // 4) % self.rays  # and turning takes 90° off
        return maps[[0, *(1 + ray), *range(1 + self.rays, self.channels)]]

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Resize by nearest neighbor; distances scale with the image.

        Args:
            maps: (K, H, W).
            shape: new height and width in pixels.

        Returns:
            Maps (K, *shape).
        """
        rescaled = rescale_pixels(maps, shape).astype(np.float32, copy=False)
        rescaled[1 : 1 + self.rays] *= shape[0] / maps.shape[1]
        return rescaled

    def options(self) -> dict[str, Any]:
        """Options that rebuild this target.

        Returns:
            Values by option name.
        """
        return self.settings.model_dump()

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Sigmoid and lower bound of the distances, which the BioImage.IO operation lacks.

        Returns:
            A function of `finetune.targets.rays_head`.
        """
        from finetune.targets import rays_head

        full_size = self.grid == 2 and not self.exports_labels
        if self.settings.foreground:
            return rays_head.full_size_maps if full_size else rays_head.proposals_and_foreground
        return rays_head.full_size_proposals if full_size else rays_head.proposals

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """StarDist's post-processing, from the output of the head to labels of the image's size.

        Returns:
            BioImage.IO operations; none if packages end in maps.
        """
        if not self.exports_labels:
            return []
        kwargs = {
            "prob_threshold": self.settings.prob_threshold,
            "nms_threshold": self.settings.nms_threshold,
            "n_rays": self.rays,
            "grid": [self.grid, self.grid],
            "b": BORDER,
        }
        return [{"id": "stardist_postprocessing", "kwargs": kwargs}]
