"""What the description of a BioImage.IO package says of its tensors: axes, sizes, halo, test images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import ModelError
from finetune.repositories.bioimageio.package import Package, read_file

AXES = ["batch", "channel", "y", "x"]


def check_tensors(package: Package, channels: int) -> None:
    """Make sure that the model takes one 2D image of as many channels.

    Raises:
        ModelError: saying what it takes instead.
    """
    inputs, outputs = package.description.inputs, package.description.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{package.source}: has {len(inputs)} inputs and {len(outputs)} outputs; "
            "finetune tunes networks of one image and one output"
        )
    axes = [str(axis.id) for axis in inputs[0].axes]
    if axes != AXES:
        raise ModelError(
            f"{package.source}: takes the axes {', '.join(axes)}; finetune tunes 2D networks of the axes "
            f"{', '.join(AXES)}"
        )
    (found,) = [axis.size for axis in inputs[0].axes if axis.type == "channel"]
    if found != channels:
        raise ModelError(
            f"{package.source}: takes images of {found} channels, these have {channels}; "
            "choose others with data.channels"
        )


def steps(package: Package) -> list[int]:
    """By how many pixels the network's sizes may differ, the likeliest first; `fits` tries them.

    A description with free sizes says it. One with a fixed size often states no more than what it was
    tested with: then every power of two below it is tried, and the size itself.
    """
    from bioimageio.spec.model.v0_5 import ParameterizedSize

    sizes = [axis.size for axis in package.description.inputs[0].axes if axis.type == "space"]
    stated = [
        size.step for size in sizes if isinstance(size, ParameterizedSize) and size.min % size.step == 0
    ]
    if len(stated) == len(sizes):
        step = int(np.lcm.reduce(stated))
        return [step * 2**power for power in range(6)]
    fixed = [size for size in sizes if isinstance(size, int)]
    longest = max(fixed, default=1024)
    powers = [2**power for power in range(11) if 2**power < longest]
    return [*powers, longest] if fixed else powers


def halo(package: Package) -> int:
    """Pixels at the edge of the output that the description says to discard, where tiles meet."""
    axes = package.description.outputs[0].axes
    return max((int(getattr(axis, "halo", 0) or 0) for axis in axes), default=0)


def own_test(package: Package) -> tuple[np.ndarray, np.ndarray] | None:
    """The test image (C, H, W) and what is to come out of it (K, H, W); None if they have other shapes."""
    files = package.description.inputs[0].test_tensor, package.description.outputs[0].test_tensor
    if files[0] is None or files[1] is None:
        return None
    image, output = (_array(package, file) for file in files)
    return (image[0], output[0]) if image.ndim == output.ndim == 4 else None


def _array(package: Package, file: Any) -> np.ndarray:
    content, _ = read_file(package, file)
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ModelError(
            f"{package.source}: {Path(str(file.source)).name} is no .npy file: {error}"
        ) from error
