"""Training and inference on a GPU, in one table: four sizes of SAM 2, the U-Net and CPnet.

    uv run python benchmarks/gpu.py

Each row is a network, the parameters that are trained, and a precision. Columns are the median time of a
training step, images per second in training, the peak of GPU memory in training, the median time of inference
for one image, and how many times as fast inference is as in float32. Weights and images are random, which
does not change the times. Patches have 256 × 256 pixels by default, in batches of 8; the image has 512 × 512.
Convolutions in float32 may use TF32, as torch does by default. Without a GPU, the script says so and ends.
"""

from __future__ import annotations

import argparse
import sys
import time

SAM2 = [f"sam2/sam2.1-hiera-{size}" for size in ("tiny", "small", "base-plus", "large")]
TARGETS = {"wipp/unet": "foreground_boundary", "cellpose/cyto3": "flows"} | dict.fromkeys(SAM2, "flows")
ADAPT = {model: ("full", "head", "lora") if model in SAM2 else ("full",) for model in TARGETS}
PRECISIONS = {"float32": ("channels_last",), "bf16": ("bf16", "channels_last")}
IMAGE = 512  # pixels: height and width of the image of inference
REPEATS = 20


def inference(model: str, settings: tuple[str, ...]) -> float:
    """Median time of inference for one image, in milliseconds."""
    import torch

    from finetune.repositories.registry import LoadOptions, load
    from finetune.targets.registry import build_target

    repository, _, name = model.partition("/")
    target = build_target(TARGETS[model], {})
    network = load(repository, name, LoadOptions(1, target.channels, pretrained=False)).network
    network = network.eval().to(torch.device("cuda"), memory_format=torch.channels_last)
    image = torch.rand(1, 1, IMAGE, IMAGE, device="cuda").to(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled="bf16" in settings):
        for _ in range(REPEATS + 5):
            torch.cuda.synchronize()
            start = time.perf_counter()
            target.activate(network(image))
            torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return 1000 * sorted(times[5:])[REPEATS // 2]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10, help="training steps to measure")
    parser.add_argument("--batch", type=int, default=8, help="patches per step")
    parser.add_argument("--patch", type=int, default=256, help="height and width of a patch in pixels")
    given = parser.parse_args()

    import torch
    from training_step import measure

    if not torch.cuda.is_available():
        sys.exit("no GPU: this script measures on an NVIDIA GPU only")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, batches of {given.batch}\n")
    print("| model | trained | precision | step (ms) | images/s | peak (GiB) | inference (ms) | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for model, target in TARGETS.items():
        milliseconds = {precision: inference(model, how) for precision, how in PRECISIONS.items()}
        for adapt in ADAPT[model]:
            for precision, settings in PRECISIONS.items():
                torch.cuda.empty_cache()
                step = measure(
                    argparse.Namespace(**vars(given), model=model, target=target, adapt=adapt, one=settings)
                )
                cells = [
                    *(model, f"{adapt}, {step['trained'] / 1e6:.2f} M", precision),
                    *(f"{1000 * step['seconds']:.1f}", f"{given.batch / step['seconds']:.0f}"),
                    *(f"{step['GiB']:.1f}", f"{milliseconds[precision]:.1f}"),
                    f"{milliseconds['float32'] / milliseconds[precision]:.2f}",
                ]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
