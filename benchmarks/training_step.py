"""Time of a training step of a network under each setting, each in a process of its own.

    uv run python benchmarks/training_step.py
    uv run python benchmarks/training_step.py --model sam2/sam2.1-hiera-tiny --target flows

Prints seconds a step (median), images a second and the ratio to plain float32. Attention is torch's
`scaled_dot_product_attention`, by the kernel it chooses; "plain attention" computes it by its formula.
"Compiled" is `torch.compile`, which needs a C++ compiler; compilation is not part of the time of a step.
The peak of memory is that of the GPU, or without one of the whole process.
Weights are random. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

OPTIONS = {
    "model": "wipp/unet",  # REPOSITORY/NAME
    "target": "foreground_boundary",
    "adapt": "full",
    "steps": 10,
    "batch": 8,
    "patch": 192,
}
SETTINGS = {
    "float32": (),
    "float32, plain attention": ("math",),
    "float32, channels last": ("channels_last",),
    "float32, channels last, compiled": ("channels_last", "compiled"),
    "bf16": ("bf16",),
    "bf16, plain attention": ("bf16", "math"),
    "bf16, channels last": ("bf16", "channels_last"),
    "bf16, channels last, freed memory kept": ("bf16", "channels_last", "keep"),
}


def measure(given: argparse.Namespace) -> dict[str, float]:
    import contextlib

    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from finetune.adapters import apply, count
    from finetune.repositories.registry import LoadOptions, load
    from finetune.targets.registry import build_target
    from finetune.utils.malloc import TRAINING, keep_freed_memory
    from finetune.utils.memory import PeakMemory

    settings = given.one
    if "keep" in settings:
        keep_freed_memory(TRAINING)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if "channels_last" in settings else torch.contiguous_format
    target = build_target(given.target, {})
    repository, _, name = given.model.partition("/")
    loaded = load(repository, name, LoadOptions(1, target.channels, pretrained=False))
    network = apply(loaded.network, given.adapt, {}, loaded.encoder, 0).to(device, memory_format=layout)
    if "compiled" in settings:
        network.compile()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    images = torch.rand(given.batch, 1, given.patch, given.patch, device=device).to(memory_format=layout)
    maps = (torch.rand(given.batch, target.channels, given.patch, given.patch, device=device) > 0.5).float()
    times = []
    attention = sdpa_kernel(SDPBackend.MATH) if "math" in settings else contextlib.nullcontext()
    with attention, PeakMemory(device) as memory:
        for _ in range(given.steps + 2):
            start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled="bf16" in settings):
                output = network(images)
            loss = target.loss(output.float(), maps)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # waits for the device
            times.append(time.perf_counter() - start)
    return {
        "seconds": sorted(times[2:])[given.steps // 2],
        "GiB": (memory.bytes or 0) / 2**30,
        "trained": count(network).trainable,
    }


def in_its_own_process(
    given: argparse.Namespace, settings: tuple[str, ...], **changes: str
) -> dict[str, float]:
    """Run `measure` in a separate process with these settings; `changes` override the given options."""
    chosen = {key: value for key, value in vars(given).items() if key in OPTIONS} | changes
    options = [f"--{key}={value}" for key, value in chosen.items()]
    command = [sys.executable, __file__, *options, "--one", *settings]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def read_arguments(description: str | None) -> argparse.Namespace:
    arguments = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option, default in OPTIONS.items():
        arguments.add_argument(f"--{option}", type=type(default), default=default)
    arguments.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    return arguments.parse_args()


def main() -> None:
    given = read_arguments(__doc__)
    if given.one is not None:
        print(json.dumps(measure(given)))
        return
    plain = None
    for name, settings in SETTINGS.items():
        result = in_its_own_process(given, settings)
        seconds = result["seconds"]
        plain = plain or seconds
        rates = f"{given.batch / seconds:6.2f} images/s   {plain / seconds:5.2f} x   {result['GiB']:5.1f} GiB"
        print(f"{name:<42}{seconds:8.3f} s   {rates}", flush=True)


if __name__ == "__main__":
    main()
