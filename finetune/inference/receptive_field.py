"""Receptive field of a network, measured by gradient: how far a pixel of the output depends on the input.

An input pixel belongs to the receptive field of an output pixel if the gradient of that output with respect
to it is not zero (Luo et al. 2016, https://arxiv.org/abs/1701.04128, section 2). Two operations pass a
gradient only for some inputs: a ReLU for positive ones, max pooling to the largest of a window. While the
gradient is computed, the first is replaced by the identity and the second by the mean, so that the result
holds for every image. TorchScript cannot be changed in this way; there, several random images are used.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from finetune.inference.shared_statistics import Network, Statistics, measure_statistics, share_statistics


class ReceptiveField(NamedTuple):
    """Receptive field of a network.

    Attributes:
        radius: distance in pixels from an output pixel to the farthest input pixel on which it depends, along
            an axis; "image" if every pixel of the input counts, as with group normalization, global attention
            or a style vector.
        halo: pixels of context that a block of `divisor` pixels needs on each side, at most `radius`. For
            "image", the halo that is enough if statistics of layers are those of the image
            (`finetune.inference.shared_statistics`); 0 where no halo is enough.
    """

    radius: int | Literal["image"]
    halo: int


WHOLE_IMAGE = ReceptiveField("image", 0)

LENGTHS = (256, 1024)
"""Lengths of the images, in pixels; the second is used if the first is too short. If the receptive field
reaches the end of the second, it counts as "image": a tile with such a halo would be almost all halo."""
BREADTH = 32  # the other side of the images, in pixels: both axes are measured one after the other
SEEDS = 3  # random images per axis for TorchScript, see above
TOLERANCE = 1e-4  # of the check with a tile, relative to the largest value of the output

RECTIFIERS = {"relu", "relu_", "relu6", "hardtanh", "leaky_relu", "leaky_relu_"}
MAX_POOLS = {"max_pool2d", "_max_pool2d"}


def measure_receptive_field(network: nn.Module, channels: int, divisor: int) -> ReceptiveField | None:
    """Measure the receptive field of a network, on the CPU and in evaluation mode.

    The gradient of output pixels at the ends and in the middle of a block of `divisor` pixels is computed
    along both axes. The result is confirmed with a tile: where a tile of an image has that much context, the
    output must be that of the image. This also excludes networks that depend on the position in the image.
    Of a network with the attribute `context`, the halo in pixels, only this is confirmed: it has one whose
    gradient would take too much memory.

    Args:
        network: (N, C, H, W) float32 -> (N, K, h, w). It is not changed.
        channels: C.
        divisor: the network takes heights and widths that are multiples of this, in pixels.

    Returns:
        The receptive field; None if the network gives no gradient or accepts no image of these sizes.
    """
    on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
    training = network.training
    try:
        with torch.no_grad():
            network = network if on_cpu else copy.deepcopy(network).cpu()
        network.eval()
        field = _stated(network, channels, divisor) or _along_axes(network, channels, divisor)
        if field.radius == "image" and (statistics := statistics_of_noise(network, channels, divisor)):
            shared = share_statistics(network, statistics)
            return ReceptiveField("image", _along_axes(shared, channels, divisor).halo)
        return field
    except (RuntimeError, ValueError, AssertionError, NotImplementedError, IndexError):
        return None  # the network takes other sizes, or its operations have no gradient
    finally:
        network.train(training)


def statistics_of_noise(network: Network, channels: int, divisor: int) -> Statistics:
    """Statistics of the layers that depend on the whole image, for an image of noise.

    Args:
        network: (N, C, H, W) float32 -> raw output, on the CPU and in evaluation mode.
        channels: C.
        divisor: the network takes heights and widths that are multiples of this, in pixels.

    Returns:
        The statistics; empty if the network has no such layers, or is TorchScript, which is not examined.
    """
    length = _up(LENGTHS[0], divisor)
    return measure_statistics(network, _noise((1, channels, length, length), 0, turned=False))


def _stated(network: nn.Module, channels: int, divisor: int) -> ReceptiveField | None:
    """The receptive field that a network states; None if it states none, or not the right one."""
    halo = getattr(network, "context", None)
    if not isinstance(halo, int):
        return None
    confirmed = all(_agrees_with_tile(network, channels, divisor, halo, turned) for turned in (False, True))
    return ReceptiveField(divisor - 1 + halo, halo) if confirmed else None


def _along_axes(network: Network, channels: int, divisor: int) -> ReceptiveField:
    """The larger receptive field of both axes."""
    radius = halo = 0
    for turned in (False, True):
        along = _along_axis(network, channels, divisor, turned)
        if along.radius == "image":
            return WHOLE_IMAGE
        radius, halo = max(radius, along.radius), max(halo, along.halo)
    return ReceptiveField(radius, halo)


def _along_axis(network: Network, channels: int, divisor: int, turned: bool) -> ReceptiveField:
    """Receptive field along one axis; `WHOLE_IMAGE` if it reaches the end of the longest image."""
    for length in LENGTHS:
        field = _by_gradient(network, channels, divisor, _up(length, divisor), turned)
        if field and _agrees_with_tile(network, channels, divisor, field.halo, turned):
            return field
    return WHOLE_IMAGE


def _by_gradient(
    network: Network, channels: int, divisor: int, length: int, turned: bool
) -> ReceptiveField | None:
    """Receptive field along one axis, in an image of one length; None if it reaches an end of the image."""
    scripted = isinstance(network, torch.jit.ScriptModule)
    middle, breadth = length // 2 // divisor * divisor, _up(BREADTH, divisor)
    radius = halo = 0
    for seed in range(SEEDS if scripted else 1):
        image = _noise((1, channels, breadth, length), seed, turned).requires_grad_()
        with torch.enable_grad(), _Linear():
            output = network(image)
        if not output.requires_grad:  # it is made of statistics alone
            return ReceptiveField(0, 0)
        # The output may be smaller than the image; the gradient of its sum over channels and the other axis.
        profile = output.float().sum(dim=(0, 1, 3) if turned else (0, 1, 2))
        stride = length // len(profile)
        places = {middle, middle + divisor - 1, middle + divisor // 2, middle + max(divisor // 2 - 1, 0)}
        for place in sorted(places):
            (gradient,) = torch.autograd.grad(profile[place // stride], image, retain_graph=True)
            used = gradient.abs().sum(dim=(0, 1, 3) if turned else (0, 1, 2)).nonzero().ravel()
            if len(used) == 0:
                continue
            first, last = int(used[0]), int(used[-1])
            if first < divisor or last >= length - divisor:
                return None
            radius = max(radius, place - first, last - place)
            halo = max(halo, middle - first, last - (middle + divisor - 1))
    return ReceptiveField(radius, halo)


def _agrees_with_tile(network: Network, channels: int, divisor: int, halo: int, turned: bool) -> bool:
    """Whether a tile gives the output of a long image where it has enough context; see above."""
    length, halo = _up(LENGTHS[-1], divisor), _up(halo, divisor)
    axis, start = (2 if turned else 3), (length // 2 - halo) // divisor * divisor
    image = _noise((1, channels, _up(BREADTH, divisor), length), 0, turned)
    size = min(2 * halo + 2 * divisor, length - start)
    with torch.no_grad():
        whole = network(image).float()
        tile = network(image.narrow(axis, start, size)).float()
    stride = length // whole.shape[axis]
    kept = (size - 2 * halo) // stride
    if not kept:
        return False  # the output is no image
    expected = whole.narrow(axis, (start + halo) // stride, kept)
    difference = tile.narrow(axis, halo // stride, kept) - expected
    return float(difference.abs().max()) <= TOLERANCE * max(float(expected.abs().max()), 1.0)


def _noise(shape: tuple[int, ...], seed: int, turned: bool) -> torch.Tensor:
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    return noise.transpose(2, 3).contiguous() if turned else noise


class _Linear(TorchFunctionMode):
    """Replaces rectifiers by the identity and max pooling by the mean."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in RECTIFIERS:
            return args[0] if args else kwargs["input"]
        if name in MAX_POOLS and not kwargs.get("return_indices"):
            return _mean_pool(*args, **kwargs)
        return func(*args, **kwargs)


def _mean_pool(
    input: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> torch.Tensor:
    return F.avg_pool2d(input, kernel_size, stride or None, padding, ceil_mode)


def _up(length: int, unit: int) -> int:
    return -(-length // unit) * unit
