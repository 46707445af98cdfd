"""Tensors in the description of a BioImage.IO package: axes, sizes, halo, test tensors."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import ModelError
from finetune.repositories.bioimageio.package import Package, read_file
from finetune.repositories.limits import MAX_CHANNELS, MAX_SIDE

if TYPE_CHECKING:
    import numpy as np

AXES = ["batch", "channel", "y", "x"]


def check_tensors(package: Package, channels: int) -> None:
    """Check that the model takes one 2D image with the given number of channels.

    Args:
        package: the package.
        channels: number of image channels.

    Raises:
        ModelError: with the inputs and axes of the model.
    """
    inputs, outputs = package.description.inputs, package.description.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{package.source}: has {len(inputs)} inputs and {len(outputs)} outputs; "
            "finetune supports networks with one input and one output"
        )
    axes = [str(axis.id) for axis in inputs[0].axes]
    if axes != AXES:
        raise ModelError(
            f"{package.source}: the input has the axes {', '.join(axes)}; finetune supports 2D networks "
            f"with the axes {', '.join(AXES)}"
        )
    (found,) = [axis.size for axis in inputs[0].axes if axis.type == "channel"]
    if found != channels:
        raise ModelError(
            f"{package.source}: expects {found} channels, but the images have {channels}; "
            "select channels with data.channels"
        )
    check_limits(package)


def check_limits(package: Package) -> None:
    """Refuse a description that declares absurd numbers, before memory is reserved for them.

    Args:
        package: an opened package.

    Raises:
        ModelError: naming the axis and the number.
    """
    tensors: list[Any] = [*package.description.inputs, *package.description.outputs]
    for tensor in tensors:
        for axis in tensor.axes:
            size: Any = getattr(axis, "size", None)
            numbers = {
                "size": getattr(size, "min", size),
                "step": getattr(size, "step", None),
                "offset": getattr(size, "offset", None),
                "halo": getattr(axis, "halo", None),
            }
            limit = MAX_CHANNELS if axis.type == "channel" else MAX_SIDE
            for name, number in numbers.items():
                if isinstance(number, int) and number > limit:
                    raise ModelError(
                        f"{package.source}: {tensor.id}: axis {axis.id} declares {name} {number:,}; at most "
                        f"{limit:,} is supported"
                    )


def steps(package: Package) -> list[int]:
    """List candidate divisors of the image size, most likely first; `fits` tries them.

    A description with parameterized sizes states the step. A fixed size is often only the tested one: then
    all smaller powers of two are candidates, and the size itself.

    Args:
        package: the package.

    Returns:
        Divisors in pixels.
    """
    from bioimageio.spec.model.v0_5 import ParameterizedSize

    sizes = [axis.size for axis in package.description.inputs[0].axes if axis.type == "space"]
    stated = [
        size.step for size in sizes if isinstance(size, ParameterizedSize) and size.min % size.step == 0
    ]
    if len(stated) == len(sizes):
        step = math.lcm(*map(int, stated))
        return [step * 2**power for power in range(6)]
    fixed = [size for size in sizes if isinstance(size, int)]
    longest = max(fixed, default=1024)
    powers = [2**power for power in range(11) if 2**power < longest]
    return [*powers, longest] if fixed else powers


def halo(package: Package) -> int:
    """Read the output border that the description says to discard.

    Args:
        package: the package.

    Returns:
        Halo in pixels.
    """
    axes = package.description.outputs[0].axes
    return max((int(getattr(axis, "halo", 0) or 0) for axis in axes), default=0)


def own_test(package: Package) -> tuple[np.ndarray, np.ndarray] | None:
    """Read the test tensors of a package.

    Args:
        package: the package.

    Returns:
        Input (C, H, W) and expected output (K, H, W); None if absent or of another shape.
    """
    files = package.description.inputs[0].test_tensor, package.description.outputs[0].test_tensor
    if files[0] is None or files[1] is None:
        return None
    image, output = (_array(package, file) for file in files)
    return (image[0], output[0]) if image.ndim == output.ndim == 4 else None


def _array(package: Package, file: Any) -> np.ndarray:
    content, _ = read_file(package, file)
    try:
        import numpy as np

        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise ModelError(
            f"{package.source}: {Path(str(file.source)).name} is not a .npy file: {error}"
        ) from error
