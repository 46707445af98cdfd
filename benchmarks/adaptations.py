"""Training steps of SAM2's four sizes, the whole, the decoder alone and with LoRA: speed and memory.

    uv run python benchmarks/adaptations.py --patch 256 --batch 8

Each in a process of its own, from random weights, by `benchmarks/training_step.py`; in bf16 where the device
is fast in it, else in float32. The whole encoder runs in each step, also where it is frozen: what keeping its
features gains is for `benchmarks/cached_features.py` to say. --model sam2/sam2.1-hiera-tiny measures that one
alone. Run it on an otherwise idle machine.
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
