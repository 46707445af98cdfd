"""The memory format in which a device trains a network fastest."""

from __future__ import annotations

import torch
from torch import nn


def fastest_format(network: nn.Module, device: torch.device) -> torch.memory_format:
    """Choose the memory format of images and weights; it does not change the results, apart from rounding.

    Convolutions are faster in channels_last format. But on GPUs, torch 2.11 copies every input of a group
    normalization to contiguous format and back. Four trainings of the U-Net on one NVIDIA H100 (float32, 4
    patches of 256 × 256 pixels) make 210 steps per second in contiguous format and 140 in channels_last.

    Args:
        network: the network.
        device: that trains it.

    Returns:
        Contiguous format for networks with group normalization on GPUs, else channels_last.
    """
    normalizes_groups = any(isinstance(module, nn.GroupNorm) for module in network.modules())
    return torch.contiguous_format if device.type == "cuda" and normalizes_groups else torch.channels_last
