"""Rays: in every pixel the probability that it is in an object's middle, and distances to its edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from finetune.targets import probability as shared

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

# Nearer to the image's edge, in pixels of the grid, nothing is proposed. StarDist's default is 2, which
# loses small objects that the edge cuts: of every fifth mask of DSB 2018 train, `decode(encode(labels))` then
# keeps an AP at 0.5 of 0.976 with grid 1 and of 0.927 with grid 2; with 0 it is 0.993 and 0.987.
BORDER = 0
# StarDist's weights of the distances, and of those predicted for the background (`Config2D` in
# stardist/models/model2d.py: train_loss_weights, train_background_reg), and Keras' smallest divisor.
DISTANCE_WEIGHT, BACKGROUND_WEIGHT, EPSILON = 0.2, 1e-4, 1e-7


class Rays:
    """1 + n maps: object probability, and the distance to the object's edge along each of n rays, in pixels.

    StarDist: Schmidt, Weigert, Broaddus & Myers 2018, https://doi.org/10.1007/978-3-030-00934-2_30. The
    probability is the distance to the nearest pixel outside, relative to the greatest of the object. Ray k
    points to (y, x) = (sin, cos) of 2πk/n. Each pixel with a probability above a threshold proposes a
    polygon; of those that overlap, the most probable is kept. Encoding, suppression and drawing are done by
    the package stardist.

    With a grid of 2 the network predicts every other pixel of every other row only, with a quarter of the
    work. Maps are as large as the image all the same, so that all but this class need not know.
    """

    name = "rays"
    labels: Literal["instances", "boundary"] = "instances"
    loss_name = (
        "binary cross-entropy of probability + 0.2 × mean absolute error of distances, weighted by "
        "probability, as StarDist's"
    )
    keep_encoded = True
    whole = False
    exports_labels = True
    exported_axes: Literal["bcyx", "byxc"] = "byxc"  # the operation gives no other
    choices: dict[str, tuple[float, ...]] = {
        "prob_threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
        "nms_threshold": (0.3, 0.4, 0.5),
    }

    def __init__(
        self, rays: int = 32, grid: int = 1, prob_threshold: float = 0.5, nms_threshold: float = 0.4
    ) -> None:
        """Choose the maps, and how labels are read back; the defaults are StarDist's.

        Args:
            rays: n, a multiple of 4, so that a quarter turn takes rays to rays.
            grid: 1, or 2 for a network whose output is half as high and wide as its input.
            prob_threshold: only pixels above this probability propose a polygon.
            nms_threshold: of two polygons that share more than this of the smaller one, one is dropped.

        Raises:
            ValueError: if a value is impossible.
        """
        if type(rays) is not int or rays % 4 or not 4 <= rays <= 256:
            raise ValueError(f"rays must be a multiple of 4, at most 256, not {rays!r}")
        if grid not in (1, 2):
            raise ValueError(f"grid must be 1 or 2, not {grid!r}")
        for key, value in (("prob_threshold", prob_threshold), ("nms_threshold", nms_threshold)):
            if not 0 <= value <= 1:
                raise ValueError(f"{key} must be from 0 to 1, not {value}")
        self.rays, self.grid, self.channels = rays, int(grid), 1 + rays
        self.prob_threshold, self.nms_threshold = float(prob_threshold), float(nms_threshold)
        self.map_names: tuple[str, ...] = ("probability", *(f"distance{ray}" for ray in range(rays)))

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W) -> maps (1 + n, H, W) float32."""
        import warnings

        from stardist.geometry import star_dist
        from stardist.utils import edt_prob

        if labels.max(initial=0) >= 2**16:  # stardist would cut off the higher bits
            labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
        labels = labels.astype(np.int32)
        maps = np.empty((self.channels, *labels.shape), np.float32)
        with warnings.catch_warnings():  # of an image that is one object from edge to edge
            warnings.simplefilter("ignore", UserWarning)
            maps[0] = edt_prob(labels)
        maps[1:] = np.moveaxis(star_dist(labels, self.rays), -1, 0)
        return maps

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """StarDist's loss (stardist/models/base.py, `prepare_for_training`), but for each image by itself.

        Binary cross-entropy of the probability p, over pixels, plus `DISTANCE_WEIGHT` times that of the
        distances: mean(p |d' - d|) / mean(p) + `BACKGROUND_WEIGHT` mean((1 - p) |d'|), over pixels and rays.
        In float32 also under autocast. `output` (N, 1 + n, H / grid, W / grid) is compared with the pixels
        that it stands for.
        """
        import torch
        import torch.nn.functional as F

        with torch.autocast(output.device.type, enabled=False):
            output, maps = output.float(), maps[..., :: self.grid, :: self.grid].float()
            probability, distances = maps[:, :1], maps[:, 1:]
            entropy = F.binary_cross_entropy_with_logits(output[:, :1], probability, reduction="none")
            error = (probability * (output[:, 1:] - distances).abs()).mean(dim=(1, 2, 3))
            error = error / (probability.mean(dim=(1, 2, 3)) + EPSILON)
            outside = ((1 - probability) * output[:, 1:].abs()).mean(dim=(1, 2, 3))
            distance = error + BACKGROUND_WEIGHT * outside
            return (entropy.mean(dim=(1, 2, 3)) + DISTANCE_WEIGHT * distance).mean()

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Raw output (N, 1 + n, H / grid, W / grid) -> maps (N, 1 + n, H, W), each pixel repeated."""
        from finetune.targets.rays_head import proposals

        maps = proposals(output.float()).movedim(-1, 1)
        return maps.repeat_interleave(self.grid, -2).repeat_interleave(self.grid, -1)

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Maps (1 + n, H, W) -> labels (H, W) int32, by StarDist's non-maximum suppression."""
        from stardist.geometry import polygons_to_label
        from stardist.nms import non_maximum_suppression

        points, probabilities, distances = non_maximum_suppression(
            np.moveaxis(maps[1:, :: self.grid, :: self.grid], 0, -1),
            maps[0, :: self.grid, :: self.grid],
            grid=(self.grid, self.grid),
            b=BORDER,
            nms_thresh=self.nms_threshold,
            prob_thresh=self.prob_threshold,
        )
        return polygons_to_label(distances, points, shape=maps.shape[1:], prob=probabilities)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Turn and mirror the pixels, and let rays trade places: none falls between two."""
        maps = shared.orient_pixels(maps, rotations, flip)
        ray = np.arange(self.rays)
        if flip:  # an angle a was 180° - a before
            ray = self.rays // 2 - ray
        ray = (ray + rotations * self.rays // 4) % self.rays  # and turning takes 90° off
        return maps[np.concatenate([[0], 1 + ray])]

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Nearest neighbor; distances grow with the image."""
        rescaled = shared.rescale_pixels(maps, shape).astype(np.float32)
        rescaled[1:] *= shape[0] / maps.shape[1]
        return rescaled

    def options(self) -> dict[str, Any]:
        """The maps, and how labels are read back."""
        return {
            "rays": self.rays,
            "grid": self.grid,
            "prob_threshold": self.prob_threshold,
            "nms_threshold": self.nms_threshold,
        }

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Logits and unbounded distances -> what the operation takes, which has no sigmoid."""
        from finetune.targets.rays_head import proposals

        return proposals

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """Output of the head -> labels, as large as the image."""
        kwargs = {
            "prob_threshold": self.prob_threshold,
            "nms_threshold": self.nms_threshold,
            "n_rays": self.rays,
            "grid": [self.grid, self.grid],
            "b": BORDER,
        }
        return [{"id": "stardist_postprocessing", "kwargs": kwargs}]
