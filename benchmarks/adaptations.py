"""Speed and memory of training steps of the four SAM 2 sizes: full, decoder only, and LoRA.

    uv run python benchmarks/adaptations.py --patch 256 --batch 8

`benchmarks/training_step.py` measures each combination in a separate process, with random weights, in bf16 if
the device is fast in it, else in float32. The encoder runs in every step even if it is frozen;
`benchmarks/cached_features.py` measures the gain from caching its features. --model sam2/sam2.1-hiera-tiny
measures only that model. Run it on an otherwise idle machine.
"""

from __future__ import annotations

from training_step import in_its_own_process, read_arguments

SIZES = ("tiny", "small", "base-plus", "large")
ADAPT = ("full", "lora", "head")


def main() -> None:
    from finetune.recipe.library import find_recipe
    from finetune.training.hardware import resolve_compute

    given = read_arguments(__doc__)
    given.target = "flows"
    sam2 = [f"sam2/sam2.1-hiera-{size}" for size in SIZES]
    precision = resolve_compute(find_recipe("sam2_nuclei")).compute.precision
    settings = ("bf16", "keep") if precision == "bf16-mixed" else ("keep",)
    print(f"{given.batch} patches of {given.patch} px, {precision}")
    for model in [given.model] if given.model in sam2 else sam2:
        for adapt in ADAPT:
            result = in_its_own_process(given, settings, model=model, adapt=adapt)
            speed = f"{given.batch / result['seconds']:7.2f} images/s {result['GiB']:6.1f} GiB"
            print(f"{model:<28}{adapt:<6}{result['trained']:>12,} trained {speed}", flush=True)


if __name__ == "__main__":
    main()
