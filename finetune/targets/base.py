"""The protocol that every target keeps: how labels become maps to learn, and maps labels again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


@runtime_checkable
class Target(Protocol):
    """What a network learns. `decode(encode(labels))` gives the labels back.

    The design gave `decode` the network's raw output. Here `activate` stands between the two, so
    that `decode` is the inverse of `encode` and can be tested as such, and so that an exported
    package whose output is already a probability is read back by the very same `decode`.

    A target keeps no state but its options, so one instance serves any number of threads.

    Attributes:
        name: the key in `TARGETS`.
        channels: number of maps, K.
        labels: what the label image holds that this target learns: "instances" (0 is background,
            every instance its own integer) or "boundary" (0 or 1).
        loss_name: what `loss` computes, in words for the record.
        map_names: a name a map.
        whole: whether an image must go through the network in one piece, since what its maps mean in one
            tile is not what they mean in the next.
        keep_encoded: whether encoding takes so long that it is worth keeping on disk while training.
        exports_labels: whether `bioimageio_postprocessing` ends in labels, as `decode` does, or in maps.
        exported_axes: order of the axes of what it takes, and gives: batch, channel, y, x.
        choices: options of `decode` that may be left open (`auto`) and are then chosen on validation images,
            each with the values to try.
    """

    name: str
    channels: int
    labels: Literal["instances", "boundary"]
    loss_name: str
    map_names: tuple[str, ...]
    keep_encoded: bool
    whole: bool
    exports_labels: bool
    exported_axes: Literal["bcyx", "byxc"]
    choices: dict[str, tuple[float, ...]]

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W) integer -> maps (K, H, W) float32.

        A target whose loss finds out by itself which map is to learn what gives (1, H, W) numbered instances.
        """

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Raw output and maps, both (N, K, H, W) float -> scalar: the mean over images of each one's loss.

        Output is what the network gives in training mode. A mean over images, so that a batch split over
        processes gives the gradient of the whole. The output may be smaller than the maps, where a target
        says so.
        """

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Raw output (N, K, H, W) -> maps of the image's height and width, as `encode` gives them."""

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Maps (K, H, W) float32 -> labels (H, W) int32, 0 is background."""

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Maps of the turned and mirrored image: exactly encode(orient(labels)), without encoding again.

        Args:
            maps: (K, H, W).
            rotations: quarter turns, 0 to 3, as `np.rot90` does them on the last two axes.
            flip: whether to mirror left to right, after turning.
        """

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Maps (K, H, W) of the image resized to `shape`, by one factor in both axes, without encoding."""

    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this target again."""

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What has to follow the network before `bioimageio_postprocessing`; None if nothing has to.

        A function at the top of a module, of torch alone: its source goes into a package that has the
        network's.
        """

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """BioImage.IO operations from output of the head to maps or labels, e.g. `[{"id": "sigmoid"}]`."""
