"""Time of a training step of the U-Net under each setting, each in a process of its own.

    uv run python benchmarks/training_step.py

Prints seconds a step (median) and the ratio to plain float32. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

SETTINGS = {
    "float32": (),
    "bf16": ("bf16",),
    "bf16, channels last": ("bf16", "channels_last"),
    "bf16, channels last, freed memory kept": ("bf16", "channels_last", "keep"),
}


def measure(settings: list[str], steps: int, batch: int, patch: int) -> float:
    import torch

    from finetune.networks.unet import UNet
    from finetune.speed import keep_freed_memory
    from finetune.targets import build_target

    if "keep" in settings:
        keep_freed_memory()
    torch.manual_seed(0)
    layout = torch.channels_last if "channels_last" in settings else torch.contiguous_format
    target = build_target("foreground_boundary", {})
    network = UNet(1, target.channels).to(memory_format=layout)
    optimiser = torch.optim.AdamW(network.parameters())
    images = torch.rand(batch, 1, patch, patch).to(memory_format=layout)
    maps = (torch.rand(batch, target.channels, patch, patch) > 0.5).float()
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in settings):
            output = network(images)
        loss = target.loss(output.float(), maps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        times.append(time.perf_counter() - start)
    return sorted(times[2:])[steps // 2]


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--patch", type=int, default=192)
    arguments.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one is not None:
        print(measure(given.one, given.steps, given.batch, given.patch))
        return
    sizes = [f"--{key}={getattr(given, key)}" for key in ("steps", "batch", "patch")]
    plain = None
    for name, settings in SETTINGS.items():
        command = [sys.executable, __file__, *sizes, "--one", *settings]
        seconds = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        plain = plain or seconds
        print(f"{name:<42}{seconds:8.3f} s   {plain / seconds:5.2f} x")


if __name__ == "__main__":
    main()
