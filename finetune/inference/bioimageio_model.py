"""Prediction with a BioImage.IO package by bioimageio.core, also with ONNX weights only."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import ModelError
from finetune.inference.bioimageio_runtime import create_pipeline
from finetune.inference.preprocess import channels_first, check_channels
from finetune.repositories.bioimageio.package import open_package, quiet
from finetune.repositories.bioimageio.tensors import check_tensors
from finetune.targets.registry import build_target

WITHOUT_CODE = ("torchscript", "onnx")  # weights formats that run without code of the package


def is_package(source: str | Path) -> bool:
    """Whether a path is a BioImage.IO package.

    Args:
        source: any path or id.

    Returns:
        True for a zip, an rdf.yaml, or a folder with an rdf.yaml or bioimageio.yaml.
    """
    path = Path(source)
    if path.is_dir():
        return any((path / name).is_file() for name in ("rdf.yaml", "bioimageio.yaml"))
    return path.is_file() and path.suffix in {".zip", ".yaml", ".yml"}


class PackageModel:
    """Predicts labels with a package, including its pre- and post-processing, without executing its code.

    Attributes:
        package: the package.
        channels: number of channels of the images that it takes.
    """

    def __init__(self, source: str | Path) -> None:
        """Open the package and load its weights.

        Args:
            source: a zip, a folder or an rdf.yaml.

        Raises:
            ModelError: if the package is not valid, has neither TorchScript nor ONNX weights, or does not
                take one 2D image.
        """
        self.package = open_package(source)
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
        with quiet():
            self._pipeline = create_pipeline(self.package, formats[0])
            self._pipeline.load()

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Predict the labels of one image, in blocks of the size that the package describes.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32: those of the package, or the connected components of its probability > 0.5.

        Raises:
            DataError: if the image is not 2D or has another number of channels.
            ModelError: if the output is neither a label image nor one probability map.
        """
        from bioimageio.core.digest_spec import create_sample_for_model

        pixels = channels_first(image, self.channels)
        check_channels(len(pixels), self.channels)
        height, width = pixels.shape[1:]
        more = [
            max(0, smallest - length)
            for smallest, length in zip(self._min_size, (height, width), strict=True)
        ]
        padded = np.pad(pixels.astype(np.float32), ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")
        progress_bar = contextlib.redirect_stderr(io.StringIO())  # of bioimageio.core, which has no switch
        with quiet(), progress_bar:
            sample = create_sample_for_model(self.package.description, inputs=padded[None])
            output = self._pipeline.predict_sample_with_blocking(sample)
        maps = np.asarray(next(iter(output.members.values())).data).squeeze()
        if maps.ndim != 2:
            raise ModelError(
                f"{self.package.source}: the model outputs an array of shape {tuple(maps.shape)}; finetune "
                "can decode a label image or one probability map only"
            )
        maps = maps[:height, :width]
        if np.issubdtype(maps.dtype, np.integer):
            return maps.astype(np.int32)
        return build_target("foreground").decode(maps[None].astype(np.float32))


def _min_size(size: Any) -> int:
    """Smallest height or width in pixels; bioimageio.core treats a fixed size as the smallest one, too."""
    return int(getattr(size, "min", size))
