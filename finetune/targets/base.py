"""Protocols of a target: how a label image becomes training maps, and predicted maps a label image.

Each consumer asks for the part that it needs: `finetune.data` for `LabelEncoding`, `finetune.inference` for
`Decoding`, `finetune.export` for `PackageForm`. A `Target` is all three and a loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from pydantic import BaseModel


@runtime_checkable
class LabelEncoding(Protocol):
    """Training maps of a label image, as the data pipeline uses them.

    Attributes:
        name: key in the registry and in recipes.
        labels: content of the label image: "instances" (0 is background, one integer per instance) or
            "boundary" (0 or 1).
        keep_encoded: whether encoding is slow enough that encoded maps are cached on disk during training.
    """

    @property
    def name(self) -> str:
        """See Attributes."""

    @property
    def labels(self) -> Literal["instances", "boundary"]:
        """See Attributes."""

    @property
    def keep_encoded(self) -> bool:
        """See Attributes."""

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Encode a label image.

        Args:
            labels: (H, W) integer, 0 is background.

        Returns:
            Maps (K, H, W) float32. A target whose loss matches maps to instances itself returns (1, H, W)
            numbered instances.
        """

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Maps of the rotated and mirrored image: exactly encode(orient(labels)), without encoding again.

        Args:
            maps: (K, H, W).
            rotations: quarter turns, 0 to 3, as `np.rot90` on the last two axes.
            flip: whether to mirror left to right after the rotation.

        Returns:
            Maps (K, H, W), or (K, W, H) after an odd number of quarter turns.
        """

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Maps of the resized image, without encoding again.

        Args:
            maps: (K, H, W).
            shape: new height and width in pixels; both axes are scaled by the same factor.

        Returns:
            Maps (K, *shape).
        """

    def options(self) -> dict[str, Any]:
        """Options that rebuild this target.

        Returns:
            Values by option name.
        """


@runtime_checkable
class Decoding(Protocol):
    """Labels from raw network output, as inference uses them.

    `activate` and `decode` are separate so that `decode` can be tested as the inverse of `encode`, and so
    that the output of an exported package, which is a probability already, is decoded by the same `decode`.

    Attributes:
        name: key in the registry and in recipes.
        channels: number of maps, K.
        whole: whether an image must pass through the network in one piece, because maps of two tiles
            do not have the same meaning.
        choices: candidate values of the options of `decode` that can be selected on validation images
            (`auto` in a recipe).

    The optional member `tentative` holds values of options left `auto` for validation during training, before
    they are selected; without it, validation uses their defaults.

    Three optional members concern large images, see `finetune.inference.stitching`: `stitching` says how
    instances are decoded block by block, `decode_window` decodes a part of an image whose labels depend on
    its place, and `used` returns the pixels (h, w) whose maps `decode` reads, if there are few.
    """

    channels: int
    whole: bool
    choices: dict[str, tuple[float, ...]]

    @property
    def name(self) -> str:
        """See Attributes."""

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Convert raw network output to maps.

        Args:
            output: raw output (N, K, h, w) of the network in evaluation mode.

        Returns:
            Maps (N, K, H, W) float32 of the image's height and width, scaled as `encode` scales them.
        """

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Convert maps to a label image.

        Args:
            maps: (K, H, W) float32.

        Returns:
            Labels (H, W) int32, 0 is background.
        """


@runtime_checkable
class Refining(Protocol):
    """A last step of `decode` of its own, so that its option is selected without repeating the steps before.

    Attributes:
        refinement: the option of this step in `choices`; 0 leaves the step out.
    """

    refinement: str

    def refine(self, labels: np.ndarray, maps: np.ndarray) -> np.ndarray:
        """The last step of `decode`.

        Args:
            labels: (H, W) int32, what `decode` gives without this step.
            maps: (K, H, W) float32.

        Returns:
            Labels (H, W) int32.
        """


@runtime_checkable
class PackageForm(Protocol):
    """What an exported package has to know of a target.

    Attributes:
        exports_labels: whether the package's post-processing ends in labels, as `decode` does, or in maps.
        exported_axes: order of the axes that the post-processing takes and returns: batch, channel, y, x.
        map_names: one name per map.
    """

    exported_axes: Literal["bcyx", "byxc"]
    map_names: tuple[str, ...]

    @property
    def exports_labels(self) -> bool:
        """See Attributes."""

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Function between the network and `bioimageio_postprocessing`.

        Returns:
            A module-level function that uses torch only (its source is copied into packages), or None if the
            post-processing takes raw output.
        """

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """BioImage.IO operations from the output of the head to maps or labels.

        Returns:
            Operations, e.g. `[{"id": "sigmoid"}]`.
        """


@runtime_checkable
class Target(LabelEncoding, Decoding, PackageForm, Protocol):
    """A target: label encoding, loss, decoding and package form.

    `decode(encode(labels))` gives the labels of instances that do not touch; of instances that do, if the
    target separates them.

    A target is built as `Class(options)`, with an instance of its `Options` or None for the defaults. It has
    no other state, so one instance can be used by any number of threads.

    Attributes:
        Options: pydantic model of the options: names, types, limits and defaults.
        loss_name: name of the loss, for the record.
    """

    Options: ClassVar[type[BaseModel]]
    loss_name: str

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Training loss: the mean over images of the loss of each image.

        A mean over images, so that a batch distributed over processes has the gradient of the whole batch.

        Args:
            output: raw output (N, K, h, w) of the network in training mode; smaller than the maps where the
                target says so.
            maps: encoded labels (N, K, H, W).

        Returns:
            A scalar.
        """
