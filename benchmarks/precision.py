"""Network time per image in float32 and in bfloat16, and time of a training step.

    uv run python benchmarks/precision.py
    uv run python benchmarks/precision.py --training --patch 192
    uv run python benchmarks/precision.py --only sam2/sam2.1-hiera-tiny --side 512

Prints CPU time, summed over threads, so that other programs on the machine disturb little, and the ratio to
float32. All settings take turns, image by image, and the fastest of all rounds counts. "channels last" is
float32 in the memory format in which a model is loaded and trained; "not packed" leaves the weights of linear
layers in torch's order, see `finetune.utils.packed_linear`; "faster" steps use `FasterOnCpu`, as runs
do. Weights are random.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from finetune.repositories.registry import LoadOptions, load
from finetune.targets.registry import build_target
from finetune.utils.bfloat16 import in_bf16, is_fast_in_bf16
from finetune.utils.faster_on_cpu import FasterOnCpu
from finetune.utils.malloc import PREDICTION, TRAINING, keep_freed_memory

NETWORKS = {
    "wipp/unet": "foreground_boundary",
    "cellpose/cyto3": "flows",
    "stardist/unet": "rays",
    "sam2/sam2.1-hiera-tiny": "flows",
}
"""Target by network; U-Net has its default width of 32."""

Call = Callable[[], object]


def inference(network: nn.Module, images: torch.Tensor) -> dict[str, Call]:
    """Calls of the network by setting."""
    network = network.eval()
    contiguous = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    network = network.to(memory_format=torch.channels_last)
    unpacked, bf16 = in_bf16(network, pack=False), in_bf16(network)
    return {
        "float32": lambda: contiguous(images),
        "float32, channels last": lambda: network(images),
        "bf16, not packed": lambda: unpacked(images),
        "bf16": lambda: bf16(images),
    }


def training(network: nn.Module, images: torch.Tensor, target: object, maps: torch.Tensor) -> dict[str, Call]:
    """Training steps by setting, without the optimizer, whose time does not depend on the precision."""
    network = network.train().to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)

    def step(bf16: bool, faster: AbstractContextManager[object]) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            with faster:
                output = network(images)
            loss = target.loss(output, maps)  # type: ignore[attr-defined]
        network.zero_grad()
        loss.backward()

    return {
        "float32": lambda: step(False, nullcontext()),
        "float32, faster": lambda: step(False, FasterOnCpu()),
        "bf16": lambda: step(True, nullcontext()),
        "bf16, faster": lambda: step(True, FasterOnCpu()),
    }


def cpu_times(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Least CPU time of each call in s; one round more serves as warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return {name: min(found[1:]) for name, found in times.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", choices=NETWORKS, help="one network; all if it is left out")
    arguments.add_argument("--side", type=int, default=256, help="height and width of the image in pixels")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--training", action="store_true", help="measure training steps")
    arguments.add_argument("--batch", type=int, default=4, help="of a training step")
    arguments.add_argument("--patch", type=int, default=192, help="of a training step")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory(TRAINING if given.training else PREDICTION)  # as runs and loaded models do
    if not is_fast_in_bf16(torch.device("cpu")):
        print("this processor has neither AMX nor AVX512-BF16: bf16 is emulated")
    for name, target_name in NETWORKS.items():
        if given.only and name != given.only:
            continue
        torch.manual_seed(0)
        target = build_target(target_name, {})
        repository, _, model = name.partition("/")
        network = load(repository, model, LoadOptions(1, target.channels, pretrained=False)).network
        if given.training:
            images = torch.rand(given.batch, 1, given.patch, given.patch)
            maps = (torch.rand(given.batch, target.channels, given.patch, given.patch) > 0.5).float()
            calls = training(network, images, target, maps)
            size = f"{given.batch} × {given.patch} × {given.patch} px"
            times = cpu_times(calls, given.rounds)
        else:
            with torch.no_grad():
                calls = inference(network, torch.rand(1, 1, given.side, given.side))
                times = cpu_times(calls, given.rounds)
            size = f"{given.side} × {given.side} px"
        print(f"{name}, {size}, {given.threads} threads", flush=True)
        for setting, seconds in times.items():
            ratio = times["float32"] / seconds
            print(f"  {setting:<24}{1000 * seconds:9.1f} ms   {ratio:5.2f} ×", flush=True)


if __name__ == "__main__":
    main()
