"""Precision of training on a GPU: a few timed steps decide between float32 and bfloat16.

With small networks and patches, the processor takes longer to start the computations than the GPU to carry
them out; casts to bfloat16 then cost time instead of saving it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from cards.training import StepTimes
from finetune.adapters import freeze_statistics
from finetune.recipe.schema import Recipe
from finetune.training.distributed import is_single_process
from finetune.utils.faster_on_cpu import FasterOnCpu
from finetune.utils.memory_format import fastest_format

WARM_UP, STEPS = 2, 4
LEAST_GAIN = 1.05  # time of a step in float32 divided by that in bfloat16; less is within the noise


def measure_precision(
    recipe: Recipe, network: nn.Module, channels: int, device: torch.device
) -> tuple[Recipe, StepTimes | None]:
    """Choose the precision that `compute.precision: auto` left open, by timed training steps on one GPU.

    Args:
        recipe: a recipe with the precision that `resolve_compute` selected for an open one.
        network: the network with its adapters; it is not changed.
        channels: of the images.
        device: that trains the network.

    Returns:
        The recipe with the faster precision, and what was measured. The recipe stays as it is, and nothing is
        measured, on CPUs, on GPUs without bfloat16, with several processes, which would have to agree, and if
        memory does not suffice for float32.
    """
    compute, training = recipe.compute, recipe.training
    if device.type != "cuda" or compute.precision != "bf16-mixed" or not is_single_process(compute):
        return recipe, None
    shape = (training.batch_size, channels, training.patch, training.patch)
    try:
        times = time_steps(network, shape, device)
    except torch.OutOfMemoryError:
        return recipe, None
    finally:
        torch.cuda.empty_cache()
    compute = compute.model_copy(update={"precision": faster(times)})
    return recipe.model_copy(update={"compute": compute}), times


def time_steps(network: nn.Module, shape: tuple[int, int, int, int], device: torch.device) -> StepTimes:
    """Time training steps of a copy of a network on noise, in float32 and bfloat16 in turn.

    Args:
        network: images -> tensors; neither it nor torch's random state is changed.
        shape: (N, C, P, P) of the images.
        device: where the copy is trained.

    Returns:
        Median time of a step in each precision, after warm-up.
    """
    seconds = step_seconds(network, shape, device, (False, True), WARM_UP, STEPS)
    return StepTimes(float32=seconds[False], bf16=seconds[True])


def step_seconds(
    network: nn.Module,
    shape: tuple[int, int, int, int],
    device: torch.device,
    bf16: Sequence[bool],
    warm_up: int,
    steps: int,
) -> dict[bool, float]:
    """Time training steps of a copy of a network on noise, computed as in training.

    Args:
        network: images -> tensors; neither it nor torch's random state is changed.
        shape: (N, C, P, P) of the images.
        device: where the copy is trained.
        bf16: whether bfloat16 is used; several are timed in turn.
        warm_up: number of steps that are not timed.
        steps: number of steps that are.

    Returns:
        Median seconds of a step for each entry of `bf16`.
    """
    seconds: dict[bool, list[float]] = {mode: [] for mode in bf16}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.enable_grad():
        memory_format = fastest_format(network, device)
        network = copy.deepcopy(network).to(device).to(memory_format=memory_format).train()
        freeze_statistics(network)
        images = torch.rand(shape, device=device).contiguous(memory_format=memory_format)
        optimizer = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad])
        for _ in range(warm_up + steps):
            for mode, times in seconds.items():
                start = time.perf_counter()
                with torch.autocast(device.type, torch.bfloat16, enabled=mode), FasterOnCpu():
                    output = network(images)
                optimizer.zero_grad()
                _some_loss(output).backward()
                optimizer.step()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                times.append(time.perf_counter() - start)
    return {mode: median(times[warm_up:]) for mode, times in seconds.items()}


def faster(times: StepTimes) -> str:
    """Select the faster precision.

    Args:
        times: of a step.

    Returns:
        Lightning's name of it; float32 unless bfloat16 is `LEAST_GAIN` times as fast.
    """
    return "bf16-mixed" if times.float32 >= LEAST_GAIN * times.bf16 else "32-true"


def _some_loss(output: object) -> torch.Tensor:
    """Mean square of all outputs: its value does not matter, only that gradients reach all parameters."""
    found = [leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    return torch.stack([leaf.float().square().mean() for leaf in found if leaf.requires_grad]).sum()
