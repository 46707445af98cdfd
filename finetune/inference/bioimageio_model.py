"""Prediction with a BioImage.IO package: directly where finetune can, by bioimageio.core otherwise."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from cards.errors import ModelError
from finetune.inference.bioimageio_direct import open_directly
from finetune.inference.bioimageio_runtime import create_pipeline
from finetune.inference.preprocess import channels_first, check_channels
from finetune.inference.tile_network import TileNetwork
from finetune.inference.tiling import TILE
from finetune.repositories.bioimageio.messages import quiet
from finetune.repositories.bioimageio.package import Package
from finetune.repositories.bioimageio.tensors import AXES, check_tensors
from finetune.targets.registry import build_target

BLOCK_STEPS = 10  # bioimageio.core's default
WITHOUT_CODE = ("torchscript", "onnx")  # weights formats that run without code of the package


class PackageModel:
    """Predicts labels with a package, including its pre- and post-processing, without executing its code.

    Attributes:
        package: the package.
        channels: number of channels of the images that it takes.
        target: decodes the maps of the package.
    """

    def __init__(self, package: Package, trust: bool = False, target: str | None = None) -> None:
        """Check and load the weights.

        Args:
            package: the package.
            trust: skip the check of TorchScript operators; for models whose author the user trusts.
            target: name of the target that converts maps to labels; the connected components of one
                probability map if None.

        Raises:
            ModelError: if the package has neither TorchScript nor ONNX weights, does not take one 2D image,
                or its weights are damaged or could touch files.
            RecipeError: if there is no such target.
        """
        self.package, source = package, package.source
        self.target, self._named = build_target(target or "foreground"), target
        inputs = self.package.description.inputs[0]
        self.channels = next((int(axis.size) for axis in inputs.axes if axis.type == "channel"), 0)
        check_tensors(self.package, self.channels)
        self._min_size = tuple(_min_size(axis.size) for axis in inputs.axes if axis.type == "space")
        formats = [name for name in WITHOUT_CODE if name in self.package.formats]
        if not formats:
            raise ModelError(
                f"{source}: the weights are {', '.join(self.package.formats)} only; without code of the "
                "package finetune can run TorchScript and ONNX"
            )
        self._direct = open_directly(package, trust=trust)
        if self._direct is not None:
            return
        with quiet():
            self._pipeline = create_pipeline(self.package, formats[0], trust=trust)
            try:
                self._pipeline.load()
            except Exception as error:  # of torch, onnxruntime or bioimageio.core
                reason = _reason(error)
                raise ModelError(f"{source}: its {formats[0]} weights cannot be loaded: {reason}") from error

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Predict the labels of one image.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32: those of the package, or the connected components of its probability > 0.5.

        Raises:
            DataError: if the image is not 2D or has another number of channels.
            ModelError: if the network fails on the image, or the output is neither a label image nor the maps
                of the target.
        """
        pixels = channels_first(image, self.channels)
        check_channels(len(pixels), self.channels)
        maps = self._predict_maps(pixels)
        if self._are_labels(maps):
            return maps[0].astype(np.int32)
        return self.target.decode(self._checked(maps))

    def predict_maps(self, pixels: np.ndarray) -> np.ndarray:
        """Predict the maps of an image.

        Args:
            pixels: (C, H, W) of any numeric dtype.

        Returns:
            Maps (K, H, W) float32, after the package's postprocessing.

        Raises:
            DataError: if the image has another number of channels.
            ModelError: if the network fails on the image, or the output is a label image or has other maps
                than the target decodes.
        """
        check_channels(len(pixels), self.channels)
        maps = self._predict_maps(pixels)
        if self._are_labels(maps):
            raise ModelError(f"{self.package.source}: the model outputs a label image, and no maps")
        return self._checked(maps)

    def can_tile(self, *, turned: bool) -> bool:
        """Whether finetune predicts the maps tile by tile.

        Args:
            turned: whether the image is rotated and mirrored.

        Returns:
            False if bioimageio.core runs the package, if the target does not decode its maps, or if an image
            is turned that the package takes in one size only.
        """
        if self._direct is None or self._direct.maps.channels != self.target.channels:
            return False
        return not (turned and self._direct.fixed)

    def tile_network(self, tile: int = TILE) -> TileNetwork:
        """The network and what it needs of a tile.

        Args:
            tile: height and width of a tile in pixels, if the package takes several sizes.

        Returns:
            The network.

        Raises:
            ModelError: if `can_tile` is false.
        """
        if self._direct is None:
            raise ModelError(f"{self.package.source}: takes images in one piece")
        return self._direct.tile_network(tile)

    def _are_labels(self, maps: np.ndarray) -> bool:
        return np.issubdtype(maps.dtype, np.integer) and len(maps) == 1 and not self._named

    def _checked(self, maps: np.ndarray) -> np.ndarray:
        """The maps as float32, if the target decodes as many."""
        if len(maps) != self.target.channels:
            target = self.target
            raise ModelError(
                f"{self.package.source}: the model outputs {len(maps)} maps, target {target.name} decodes "
                f"{target.channels}; finetune can decode a label image or one probability map only, unless "
                "you set target to what the maps are, such as target=foreground_boundary"
            )
        return maps.astype(np.float32)

    def _predict_maps(self, pixels: np.ndarray) -> np.ndarray:
        """Output of the package for an image (C, H, W), as (K, H, W)."""
        if self._direct is None:
            return self._run_pipeline(pixels)
        try:
            return self._direct.predict_maps(pixels)
        except Exception as error:  # of torch or onnxruntime
            raise ModelError(f"{self.package.source}: prediction fails: {_reason(error)}") from error

    def _run_pipeline(self, pixels: np.ndarray) -> np.ndarray:
        """Output of bioimageio.core's pipeline, in blocks of the size that the package describes."""
        from bioimageio.core import AxisId
        from bioimageio.core.digest_spec import create_sample_for_model

        height, width = pixels.shape[1:]
        more = [
            max(0, smallest - length)
            for smallest, length in zip(self._min_size, (height, width), strict=True)
        ]
        padded = np.pad(pixels.astype(np.float32), ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")
        progress_bar = contextlib.redirect_stderr(io.StringIO())  # of bioimageio.core, which has no switch
        with quiet(), progress_bar:
            try:
                sample = create_sample_for_model(self.package.description, inputs=padded[None])
                output = self._pipeline.predict_sample_with_blocking(
                    sample, ns=self._blocks(*padded.shape[1:])
                )
            except Exception as error:  # of torch, onnxruntime or bioimageio.core
                raise ModelError(f"{self.package.source}: prediction fails: {_reason(error)}") from error
        tensor = next(iter(output.members.values()))
        return np.asarray(tensor.transpose(tuple(map(AxisId, AXES))).data)[0][:, :height, :width]

    def _blocks(self, height: int, width: int) -> dict[Any, int]:
        """Number of steps by which a block exceeds the smallest size: no block is larger than the image."""
        tensor = self.package.description.inputs[0]
        blocks = {}
        for axis in tensor.axes:
            size: Any = getattr(axis, "size", None)
            step = getattr(size, "step", None)
            if axis.type == "space" and step:
                length = height if axis.id == "y" else width
                blocks[tensor.id, axis.id] = min(BLOCK_STEPS, (length - size.min) // step)
        return blocks


def _reason(error: Exception) -> str:
    """First line of an error."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _min_size(size: Any) -> int:
    """Smallest height or width in pixels; bioimageio.core treats a fixed size as the smallest one, too."""
    return int(getattr(size, "min", size))
