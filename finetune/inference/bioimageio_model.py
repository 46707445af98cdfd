"""A BioImage.IO package used as it is, by bioimageio.core: also what cannot be tuned, such as ONNX alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cards.errors import DataError, ModelError
from finetune.repositories.bioimageio.package import Package, open_package
from finetune.repositories.bioimageio.tensors import check_tensors

if TYPE_CHECKING:
    from bioimageio.core import PredictionPipeline

RUNS_NO_CODE = ("torchscript", "onnx")  # weights that run without code of the package


def is_package(source: str | Path) -> bool:
    """Whether a path is a BioImage.IO package: a zip, an rdf.yaml, or a folder that holds one."""
    path = Path(source)
    if path.is_dir():
        return any((path / name).is_file() for name in ("rdf.yaml", "bioimageio.yaml"))
    return path.is_file() and path.suffix in {".zip", ".yaml", ".yml"}


class PackageModel:
    """Labels images with a package; its own pre- and postprocessing, and no code of it."""

    def __init__(self, source: str | Path) -> None:
        """Open the package and load its weights.

        Raises:
            ModelError: if it is no valid package, has neither TorchScript nor ONNX, or takes no 2D image.
        """
        self.package = open_package(source)
        inputs = self.package.description.inputs[0]
        self.channels = next((int(axis.size) for axis in inputs.axes if axis.type == "channel"), 0)
        check_tensors(self.package, self.channels)
        self._least = tuple(_least(axis.size) for axis in inputs.axes if axis.type == "space")
        formats = [name for name in RUNS_NO_CODE if name in self.package.formats]
        if not formats:
            raise ModelError(
                f"{source}: has weights as {', '.join(self.package.formats)} only; TorchScript and ONNX are "
                "what runs without code of the package"
            )
        self._pipeline = _pipeline(self.package, formats[0])

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Label an image; large ones go through in blocks, as the package describes them.

        Args:
            image: (H, W), (C, H, W) or (H, W, C) of any numeric dtype.

        Returns:
            Labels (H, W) int32: the package's own, or, of its probability, what is connected above 0.5.

        Raises:
            DataError: if the image has other channels, or the output is neither labels nor one probability.
        """
        from bioimageio.core.digest_spec import create_sample_for_model

        from finetune.inference.model import channels_first
        from finetune.targets.registry import build_target

        pixels = channels_first(image, self.channels)
        if len(pixels) != self.channels:
            raise DataError(f"the image has {len(pixels)} channels; this model takes {self.channels}")
        height, width = pixels.shape[1:]
        more = [max(0, least - length) for least, length in zip(self._least, (height, width), strict=True)]
        padded = np.pad(pixels.astype(np.float32), ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")
        with _quiet():
            sample = create_sample_for_model(self.package.description, inputs=padded[None])
            output = self._pipeline.predict_sample_with_blocking(sample)
        maps = np.asarray(next(iter(output.members.values())).data).squeeze()
        if maps.ndim != 2:
            raise ModelError(
                f"{self.package.source}: gives {tuple(maps.shape)}; only labels or one map of probabilities "
                "can be read without knowing more of it"
            )
        maps = maps[:height, :width]
        if np.issubdtype(maps.dtype, np.integer):
            return maps.astype(np.int32)
        return build_target("foreground").decode(maps[None].astype(np.float32))


def _least(size: Any) -> int:
    """The smallest side in pixels; bioimageio.core takes a fixed size for such, too."""
    return int(getattr(size, "min", size))


def _pipeline(package: Package, weights_format: str) -> PredictionPipeline:
    from bioimageio.core import create_prediction_pipeline

    from finetune.inference.bioimageio_runtime import CPU, DEVICES

    with _quiet():
        pipeline = create_prediction_pipeline(
            package.description,
            weights_format=weights_format,  # type: ignore[arg-type]
            devices=DEVICES.get(weights_format, CPU),
        )
        pipeline.load()
    return pipeline


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    from bioimageio.spec import ValidationContext

    from finetune.inference.bioimageio_runtime import quiet

    with quiet(), ValidationContext(progressbar=False):
        yield
