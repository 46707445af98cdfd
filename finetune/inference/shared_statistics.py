"""Layers that use statistics of their whole input, and statistics that all tiles of an image share.

Group normalization (Wu & He 2018, https://arxiv.org/abs/1803.08494) and instance normalization (Ulyanov et
al. 2016, https://arxiv.org/abs/1607.08022) subtract the mean of a layer over the input of the network, and
divide by its standard deviation. The style vector of Cellpose and squeeze-and-excitation (Hu et al. 2018,
https://arxiv.org/abs/1709.01507) take the mean over all pixels. Tiles would each use statistics of their own,
and differ at their seams. Here, such layers are intercepted: their statistics are measured, or replaced by
given ones. `finetune.inference.image_statistics` finds those of a whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

MARGIN = 8  # 1 / MARGIN of a window at each end, where zeros pad the layers, does not count

Moments = tuple[torch.Tensor, torch.Tensor]
"""Mean and variance (G,) of the groups of a layer. The variance of a mean over all pixels is not used."""

Statistics = list[Moments]
"""Moments of each layer, in the order in which the layers run."""

Network = Callable[[torch.Tensor], torch.Tensor]


class Layer(NamedTuple):
    """One call of a layer that uses statistics of its input.

    Attributes:
        input: (N, C, ...); C consists of groups.
        groups: number of groups.
        finish: mean and variance (G,) -> output of the layer.
    """

    input: torch.Tensor
    groups: int
    finish: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

    def values(self, inner: tuple[slice, ...]) -> torch.Tensor:
        """Values of each group.

        Args:
            inner: part of the pixels.

        Returns:
            (N, G, any number) float32.
        """
        return self.input[:, :, *inner].float().reshape(len(self.input), self.groups, -1)


Use = Callable[[int, Layer], Moments]
"""Number of a layer and the layer -> moments that it uses."""


@torch.no_grad()
def measure_statistics(network: Network, windows: torch.Tensor) -> Statistics:
    """Statistics of the layers over several windows of an image together.

    Args:
        network: (N, C, H, W) float32 -> raw output, in evaluation mode.
        windows: (N, C, H, W) float32.

    Returns:
        The statistics; empty if the network has no such layers, or is TorchScript.
    """
    found: Statistics = []

    def use(number: int, layer: Layer) -> Moments:
        found.append(window_moments(layer))
        return found[-1]

    with Intercepted(use):
        network(windows)
    return found


def window_moments(layer: Layer) -> Moments:
    """Moments of a layer over several windows and their pixels, without margins.

    Args:
        layer: the layer.

    Returns:
        The moments.
    """
    lengths = layer.input.shape[2:]
    inner = tuple(slice(length // MARGIN, length - length // MARGIN) for length in lengths)
    variance, mean = torch.var_mean(layer.values(inner), dim=(0, 2), correction=0)
    return mean, variance


def share_statistics(network: Network, statistics: Statistics) -> Network:
    """A network whose layers use given statistics.

    Args:
        network: (N, C, H, W) float32 -> raw output, in evaluation mode.
        statistics: as `measure_statistics` returns them.

    Returns:
        The network.
    """

    def run(images: torch.Tensor) -> torch.Tensor:
        with Intercepted(lambda number, layer: statistics[number]):
            return network(images)

    return run


class Intercepted(TorchFunctionMode):
    """Decides which statistics the layers use during one pass through a network."""

    def __init__(self, use: Use) -> None:
        """Intercept layers.

        Args:
            use: called for each layer, in the order in which they run.
        """
        super().__init__()
        self._use, self._count = use, 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        describe = LAYERS.get(func)
        layer = describe(*args, **(kwargs or {})) if describe else None
        if layer is None:
            return func(*args, **(kwargs or {}))
        moments = self._use(self._count, layer)
        self._count += 1
        return layer.finish(*moments)


def _normalized(
    input: torch.Tensor, groups: int, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float
) -> Layer:
    def finish(mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        members = input.shape[1] // groups
        scale = torch.rsqrt(variance + eps).repeat_interleave(members)
        scale = scale if weight is None else scale * weight
        shift = -mean.repeat_interleave(members) * scale
        shift = shift if bias is None else shift + bias
        size = (1, -1, *(1 for _ in input.shape[2:]))
        normalized = torch.addcmul(shift.reshape(size), input.float(), scale.reshape(size))
        return normalized.to(input.dtype)

    return Layer(input, groups, finish)


def _group_norm(
    input: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> Layer:
    return _normalized(input, num_groups, weight, bias, eps)


def _instance_norm(
    input: torch.Tensor,
    running_mean: torch.Tensor | None = None,
    running_var: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Layer | None:
    return _normalized(input, input.shape[1], weight, bias, eps) if use_input_stats else None


def _mean(input: torch.Tensor, dim: Any = None, keepdim: bool = False, **_: Any) -> Layer | None:
    """The mean over all pixels; None for a mean over anything else."""
    if not isinstance(dim, list | tuple) or input.ndim != 4 or {axis % 4 for axis in dim} != {2, 3}:
        return None

    def finish(mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        size = (len(input), len(mean), 1, 1) if keepdim else (len(input), len(mean))
        return mean.to(input.dtype).reshape(1, *size[1:]).expand(size)

    return Layer(input, input.shape[1], finish)


def _pool(input: torch.Tensor, output_size: Any) -> Layer | None:
    return _mean(input, (2, 3), keepdim=True) if output_size in (1, (1, 1), [1, 1]) else None


LAYERS: dict[Callable[..., Any], Callable[..., Layer | None]] = {
    F.group_norm: _group_norm,
    F.instance_norm: _instance_norm,
    F.adaptive_avg_pool2d: _pool,
    torch.mean: _mean,
    torch.Tensor.mean: _mean,
}
"""Functions that are intercepted, with the arguments that torch passes on."""
