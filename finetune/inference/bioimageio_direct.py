"""BioImage.IO packages run without bioimageio.core's pipeline: one pass, in ONNX Runtime if possible.

This applies to packages whose processing finetune can express itself. The maps are those of the package's
test tensors. bioimageio.core's pipeline also pads each image by the halo, which changes pixels near the
border, and its own work takes longer than a small network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cards.errors import ModelError
from finetune.data.normalization import Normalize, build_normalize
from finetune.inference.tile_network import TileNetwork
from finetune.inference.tiling import TILE, predict_maps
from finetune.repositories.bioimageio.operations import normalization, output
from finetune.repositories.bioimageio.package import Package, read_file
from finetune.repositories.bioimageio.tensors import halo
from finetune.utils.optional import is_installed
from finetune.weights.checkpoint import check_finite
from finetune.weights.onnx_check import check_onnx
from finetune.weights.torchscript_check import load_torchscript

Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class _Maps:
    """The part of a target that tiling needs: how raw output becomes maps."""

    channels: int
    sigmoid: bool
    threshold: float | None
    whole: bool = False
    name: str = "maps"

    def activate(self, raw: torch.Tensor) -> torch.Tensor:
        maps = torch.sigmoid(raw) if self.sigmoid else raw
        return maps if self.threshold is None else (maps > self.threshold).float()


@dataclass(frozen=True)
class DirectPackage:
    """A package as a network with normalization and activation.

    Attributes:
        network: (1, C, H, W) float32 to raw output (1, K, H, W).
        normalize: of the whole image.
        maps: activation of the raw output.
        smallest: smallest height and width of the input in pixels.
        divisor: height and width are multiples of this, in pixels; equal to `smallest` for a fixed size.
        fixed: whether the input has one size only.
        halo: border of a tile whose output is discarded, in pixels.
    """

    network: Network
    normalize: Normalize
    maps: _Maps
    smallest: int
    divisor: int
    fixed: bool
    halo: int

    def predict_maps(self, pixels: np.ndarray) -> np.ndarray:
        """Predict the maps of an image.

        Args:
            pixels: (C, H, W) of any numeric dtype.

        Returns:
            Maps (K, H, W) float32, after the package's postprocessing.
        """
        height, width = pixels.shape[1:]
        image = self.normalize(pixels.astype(np.float32))
        more = [max(0, self.smallest - length) for length in (height, width)]
        image = np.pad(image, ((0, 0), (0, more[0]), (0, more[1])), mode="symmetric")
        tiles = self.tile_network()
        maps = predict_maps(
            self.network,
            self.maps,  # type: ignore[arg-type]
            torch.from_numpy(image),
            self.divisor,
            tile=tiles.tile,
            halo=tiles.halo,
            alignment=tiles.alignment,
        )
        return maps[:, :height, :width]

    def tile_network(self, tile: int = TILE) -> TileNetwork:
        """The network and what it needs of a tile.

        Args:
            tile: height and width of a tile in pixels, if the package takes several sizes.

        Returns:
            The network.
        """
        side = self.smallest if self.fixed else max(tile // self.divisor * self.divisor, self.smallest)
        return TileNetwork(
            self.network,
            self.maps.activate,
            self.normalize,
            "auto",
            torch.device("cpu"),
            self.divisor,
            side,
            # A description without a halo leaves open how much context the network needs.
            halo=max(side // 16, self.halo),
            alignment=1 if self.fixed else 0,
        )


def open_directly(package: Package, *, trust: bool = False) -> DirectPackage | None:
    """Prepare a package for prediction without bioimageio.core.

    Args:
        package: the package; one image in, one tensor out.
        trust: skip the check of TorchScript operators; for models whose author the user trusts.

    Returns:
        The package; None if finetune cannot express its processing or sizes.

    Raises:
        ModelError: if the weights are damaged or could touch files.
    """
    inputs, outputs = package.description.inputs[0], package.description.outputs[0]
    sizes = _sizes([axis.size for axis in inputs.axes if axis.type == "space"])
    steps = [operation for operation in outputs.postprocessing if operation.id != "ensure_dtype"]
    maps = _channels(outputs)
    if sizes is None or maps is None or len(steps) > 1:
        return None
    channels = next((int(axis.size) for axis in inputs.axes if axis.type == "channel"), 0)
    try:
        normalize = build_normalize(normalization(inputs.preprocessing, channels, package.source))
        kind = output(outputs.postprocessing, package.source)
    except ModelError:
        return None
    if kind == "decoded":
        return None
    threshold = getattr(steps[0].kwargs, "threshold", None) if steps else None
    if isinstance(threshold, list | tuple):
        return None
    network = _open_network(package, trust)
    if network is None:
        return None
    smallest, divisor, fixed = sizes
    activation = _Maps(maps, sigmoid=kind == "logits", threshold=threshold)
    return DirectPackage(network, normalize, activation, smallest, divisor, fixed, halo(package))


def _sizes(sizes: list[Any]) -> tuple[int, int, bool] | None:
    """Smallest size, divisor, and whether the size is fixed; None for sizes that tiling does not support."""
    if len(sizes) != 2 or sizes[0] != sizes[1]:
        return None
    size = sizes[0]
    if isinstance(size, int):
        return size, size, True
    smallest, step = getattr(size, "min", None), getattr(size, "step", None)
    if smallest is None or not step or smallest % step:
        return None
    return smallest, step, False


def _channels(tensor: Any) -> int | None:
    """Number of maps, if the output has as many pixels as the input."""
    axes = {axis.type: axis for axis in tensor.axes}
    same = all(
        getattr(axis.size, "tensor_id", None) is not None
        and getattr(axis.size, "offset", 0) == 0
        and getattr(axis, "scale", 1) == 1
        for axis in tensor.axes
        if axis.type == "space"
    )
    names = [str(axis.id) for axis in tensor.axes]
    if not same or names != ["batch", "channel", "y", "x"]:
        return None
    return len(axes["channel"].channel_names)


def _open_network(package: Package, trust: bool) -> Network | None:
    """ONNX weights in ONNX Runtime, or else TorchScript, which takes two to three times as long on a CPU."""
    formats = package.formats
    if "onnx" in formats and is_installed("onnxruntime"):
        return _onnx(package)
    return _torchscript(package, trust) if "torchscript" in formats else None


def _onnx(package: Package) -> Network:
    import onnxruntime

    content, where = _weights(package, "onnx")
    check_onnx(content, where)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # its warnings are for programmers
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of ONNX Runtime
        raise ModelError(f"{where}: cannot be loaded: {str(error).splitlines()[0][:200]}") from error
    name = session.get_inputs()[0].name
    return lambda images: torch.from_numpy(session.run(None, {name: images.numpy()})[0])


def _torchscript(package: Package, trust: bool) -> Network:
    content, where = _weights(package, "torchscript")
    network: Any = load_torchscript(content, where, trust=trust)
    check_finite(network.state_dict(), where)
    network = network.eval().to(memory_format=torch.channels_last)
    return lambda images: network(images.contiguous(memory_format=torch.channels_last))


def _weights(package: Package, weights_format: str) -> tuple[bytes, str]:
    entry = getattr(package.description.weights, weights_format)
    content, _ = read_file(package, entry)
    return content, f"{package.source}: {Path(str(entry.source)).name}"
