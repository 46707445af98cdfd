"""The protocol that every target keeps: how labels become maps to learn, and maps labels again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
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
    """

    name: str
    channels: int
    labels: Literal["instances", "boundary"]
    loss_name: str

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels (H, W) integer -> maps (K, H, W) float32."""

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Raw output and maps, both (N, K, H, W) float -> scalar: the mean over images of each one's loss.

        A mean over images, so that a batch split over processes gives the gradient of the whole.
        """

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Raw output (N, K, H, W) -> maps of the same shape, as `encode` gives them."""

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

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """BioImage.IO operations from raw output to maps or labels, e.g. `[{"id": "sigmoid"}]`."""
