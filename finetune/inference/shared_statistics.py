"""Group and instance normalization with the same statistics in all tiles of an image.

Group normalization (Wu & He 2018, https://arxiv.org/abs/1803.08494) and instance normalization (Ulyanov et
al. 2016, https://arxiv.org/abs/1607.08022) subtract the mean of a layer over the input of the network, and
divide by its standard deviation. Tiles would each be normalized by their own statistics, and differ at their
seams. Here, windows that are spread over the image pass through the network together, each layer is
normalized by the statistics of all of them, and these statistics serve all tiles. They approximate those of
the whole image: the last layers see them only after all layers before are normalized, so exact ones would
take as many passes over the image as there are layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from finetune.inference.tiling import Span

WINDOWS = 3  # windows along each axis; together, they have 9 / 4 of the pixels of a tile
PART = 1 / 2  # height and width of a window, as a part of those of a tile
MARGIN = 8  # 1 / MARGIN of a window at each end, where zeros pad the layers, does not count

Statistics = list[tuple[torch.Tensor, torch.Tensor]]
"""Mean and variance (G,) of the groups of each normalization layer, in the order in which the layers run."""

Network = Callable[[torch.Tensor], torch.Tensor]


def has_statistics(network: nn.Module) -> bool:
    """Whether a network has layers that normalize by statistics of their input.

    Args:
        network: any network.

    Returns:
        True if there is a group or instance normalization; False for TorchScript, which is not examined.
    """
    instance = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
    return any(
        isinstance(module, nn.GroupNorm) or (isinstance(module, instance) and not module.track_running_stats)
        for module in network.modules()
    )


def sample_windows(height: int, width: int, divisor: int, tile: int) -> list[tuple[Span, Span]]:
    """Windows that are spread evenly over an image.

    Args:
        height: height of the image in pixels, at least `divisor`.
        width: its width.
        divisor: windows start at multiples of this; their height and width are multiples, too.
        tile: height and width of a tile in pixels.

    Returns:
        Rows and columns of each window, each as start and end; all windows have the same size.
    """
    side = math.ceil(PART * tile / divisor) * divisor
    rows, columns = (
        _spread(length, min(side, length // divisor * divisor), divisor) for length in (height, width)
    )
    return [(row, column) for row in rows for column in columns]


def _spread(length: int, side: int, divisor: int) -> list[Span]:
    count = min(WINDOWS, -(-length // side))
    starts = (np.arange(count) + 0.5) * length / count - side / 2  # in the middle of equal parts of the image
    starts = starts.clip(0, length - side).astype(int) // divisor * divisor
    return [(int(start), int(start) + side) for start in starts]


@torch.no_grad()
def measure_statistics(network: Network, windows: torch.Tensor) -> Statistics:
    """Statistics of the normalization layers over several windows of an image together.

    Args:
        network: (N, C, H, W) float32 -> raw output, in evaluation mode.
        windows: (N, C, H, W) float32.

    Returns:
        The statistics; empty if the network has no such layers, or is TorchScript.
    """
    with SharedStatistics() as shared:
        network(windows)
    return shared.statistics


def share_statistics(network: Network, statistics: Statistics) -> Network:
    """A network that normalizes by given statistics.

    Args:
        network: (N, C, H, W) float32 -> raw output, in evaluation mode.
        statistics: as `measure_statistics` returns them.

    Returns:
        The network.
    """

    def run(images: torch.Tensor) -> torch.Tensor:
        with SharedStatistics(statistics):
            return network(images)

    return run


class SharedStatistics(TorchFunctionMode):
    """Normalizes all inputs of one pass through the network by the same statistics.

    Attributes:
        statistics: of the layers that have run.
    """

    def __init__(self, statistics: Statistics | None = None) -> None:
        """Use or measure statistics.

        Args:
            statistics: of all layers; None for those of the inputs together.
        """
        super().__init__()
        self._given = None if statistics is None else iter(statistics)
        self.statistics: Statistics = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        describe = NORMALIZATIONS.get(func)
        layer = describe(*args, **(kwargs or {})) if describe else None
        if layer is None:
            return func(*args, **(kwargs or {}))
        self.statistics.append(layer.measure() if self._given is None else next(self._given))
        return layer.apply(*self.statistics[-1])


class _Layer(NamedTuple):
    """One call of a normalization of (N, C, H, W); C consists of groups."""

    input: torch.Tensor
    groups: int
    weight: torch.Tensor | None
    bias: torch.Tensor | None
    eps: float

    def measure(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance (G,) over all inputs and their pixels, without margins."""
        lengths = self.input.shape[2:]
        inner = (slice(length // MARGIN, length - length // MARGIN) for length in lengths)
        values = self.input[:, :, *inner].float().reshape(len(self.input), self.groups, -1)
        variance, mean = torch.var_mean(values, dim=(0, 2), correction=0)
        return mean, variance

    def apply(self, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Normalize, scale and shift."""
        members = self.input.shape[1] // self.groups
        scale = torch.rsqrt(variance + self.eps).repeat_interleave(members)
        scale = scale if self.weight is None else scale * self.weight
        shift = -mean.repeat_interleave(members) * scale
        shift = shift if self.bias is None else shift + self.bias
        size = (1, -1, *(1 for _ in self.input.shape[2:]))
        normalized = torch.addcmul(shift.reshape(size), self.input.float(), scale.reshape(size))
        return normalized.to(self.input.dtype)


def _group(
    input: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> _Layer:
    return _Layer(input, num_groups, weight, bias, eps)


def _instance(
    input: torch.Tensor,
    running_mean: torch.Tensor | None = None,
    running_var: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> _Layer | None:
    return _Layer(input, input.shape[1], weight, bias, eps) if use_input_stats else None


NORMALIZATIONS: dict[Callable[..., Any], Callable[..., _Layer | None]] = {
    F.group_norm: _group,
    F.instance_norm: _instance,
}
"""Functions that are replaced, with the arguments that torch passes on."""
