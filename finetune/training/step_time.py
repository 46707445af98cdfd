"""Time and memory of a training step on this machine, measured with random patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cards.errors import InputError
from finetune.recipe.schema import ComputeSection
from finetune.repositories.registry import build
from finetune.targets.registry import build_target
from finetune.training.hardware import device_of
from finetune.training.precision import step_seconds
from finetune.utils.bfloat16 import is_fast_in_bf16
from finetune.utils.memory import estimate_training_bytes

WARM_UP, STEPS = 1, 2
MEASURED = 2  # patches in a measured step: DeepLabV3 trains on no fewer
BATCHES = (8, 4, 2)  # batch sizes, the preferred first
SHARE = 0.5  # of the memory that training may need


@dataclass(frozen=True)
class StepTime:
    """Cost of training on this machine.

    Attributes:
        seconds_per_patch: median time of forward, backward and AdamW in the faster precision,
            divided by the patches.
        bytes: estimated memory of training by batch size; those of `BATCHES` that fit into `SHARE` of the
            memory, and the smallest.
        device: "cpu", or the name of the GPU.
        patch: height and width of a patch in pixels: a multiple of what the network requires.
    """

    seconds_per_patch: float
    bytes: dict[int, int]
    device: str
    patch: int


def measure_step(
    repository: str,
    name: str,
    options: dict[str, Any],
    target: str,
    target_options: dict[str, Any],
    *,
    channels: int,
    patch: int,
    memory: int | None,
) -> StepTime:
    """Train a network with random weights for a few steps on noise.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of the model.
        options: of the network.
        target: name of the target.
        target_options: options of the target.
        channels: of the images.
        patch: least height and width of a patch in pixels.
        memory: of the machine in bytes; None if unknown, then only the smallest batch fits.

    Returns:
        The cost.

    Raises:
        InputError: if network and target cannot be built, or the memory of the GPU does not suffice.
    """
    device = device_of(ComputeSection())
    name_of_device = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
    maps = build_target(target, target_options).channels
    with torch.random.fork_rng():
        built = build(repository, name, in_channels=channels, out_channels=maps, options=options)
        network, patch = built.network, -(-patch // built.divisor) * built.divisor
        needed = {size: estimate_training_bytes(network, (size, channels, patch, patch)) for size in BATCHES}
        try:
            shape, bf16 = (MEASURED, channels, patch, patch), {False, is_fast_in_bf16(device)}
            seconds = step_seconds(network, shape, device, sorted(bf16), WARM_UP, STEPS)
        except torch.OutOfMemoryError as error:
            raise InputError(f"{name_of_device}: too little memory for a training step") from error
    fitting = {
        size: count
        for size, count in needed.items()
        if size == BATCHES[-1] or (memory is not None and count <= SHARE * memory)
    }
    return StepTime(min(seconds.values()) / MEASURED, fitting, name_of_device, patch)
