"""Time of a training step of a network under each setting, each in a process of its own.

    uv run python benchmarks/training_step.py
    uv run python benchmarks/training_step.py --model sam2/sam2.1-hiera-tiny --target flows

Prints seconds a step (median), images a second and the ratio to plain float32. Attention is torch's
`scaled_dot_product_attention`, by the kernel it chooses; "plain attention" computes it by its formula.
Weights are random. On a GPU the peak of its memory is printed, too. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

SETTINGS = {
    "float32": (),
    "float32, plain attention": ("math",),
    "bf16": ("bf16",),
    "bf16, plain attention": ("bf16", "math"),
    "bf16, channels last": ("bf16", "channels_last"),
    "bf16, channels last, freed memory kept": ("bf16", "channels_last", "keep"),
}


def measure(given: argparse.Namespace) -> dict[str, float]:
    import contextlib

    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from finetune.repositories import load
    from finetune.speed import keep_freed_memory
    from finetune.targets import build_target

    settings = given.one
    if "keep" in settings:
        keep_freed_memory()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if "channels_last" in settings else torch.contiguous_format
    target = build_target(given.target, {})
    repository, _, name = given.model.partition("/")
    network = load(repository, name, in_channels=1, out_channels=target.channels, pretrained=False).network
    network = network.to(device, memory_format=layout)
    optimiser = torch.optim.AdamW(network.parameters())
    images = torch.rand(given.batch, 1, given.patch, given.patch, device=device).to(memory_format=layout)
    maps = (torch.rand(given.batch, target.channels, given.patch, given.patch, device=device) > 0.5).float()
    times = []
    attention = sdpa_kernel(SDPBackend.MATH) if "math" in settings else contextlib.nullcontext()
    with attention:
        for _ in range(given.steps + 2):
            start = time.perf_counter()
            with torch.autocast(device, torch.bfloat16, enabled="bf16" in settings):
                output = network(images)
            loss = target.loss(output.float(), maps)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss.item()  # waits for the device
            times.append(time.perf_counter() - start)
    result = {"seconds": sorted(times[2:])[given.steps // 2]}
    if device == "cuda":
        result["memory"] = torch.cuda.max_memory_allocated() / 2**30
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--model", default="wipp/unet", help="REPOSITORY/NAME")
    arguments.add_argument("--target", default="foreground_boundary")
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--patch", type=int, default=192)
    arguments.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one is not None:
        print(json.dumps(measure(given)))
        return
    options = [f"--{key}={getattr(given, key)}" for key in ("model", "target", "steps", "batch", "patch")]
    plain = None
    for name, settings in SETTINGS.items():
        command = [sys.executable, __file__, *options, "--one", *settings]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        seconds = result["seconds"]
        plain = plain or seconds
        memory = f"   {result['memory']:.1f} GiB" if "memory" in result else ""
        rates = f"{given.batch / seconds:6.2f} images/s   {plain / seconds:5.2f} x"
        print(f"{name:<42}{seconds:8.3f} s   {rates}{memory}")


if __name__ == "__main__":
    main()
