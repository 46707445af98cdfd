"""Trainings as people start them: small batches, empty masks, small images, settings that cannot be right."""

from __future__ import annotations

import numpy as np

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.field_layouts import dry_run
from fault_cases.judge import consistent, refused, succeeded
from fault_cases.registry import fault


@fault(("field_21", "batch normalization and a batch of one"))
def batch_of_one(bench: Bench) -> None:
    data = ("data.name=null", f"data.root={inputs.discs(bench)}", "model.pretrained=false")
    small = ("training.epochs=1", "training.patch=32", "training.workers=0", "evaluation.check_images=1")
    result = bench.run("run", "deeplabv3_nuclei", *data, "training.batch_size=1", "--out", "out", "--dry-run")
    refused(result, "batch_size")
    more = (*small, "training.batch_size=3", "training.images_per_epoch=4")
    succeeded(bench.run("run", "deeplabv3_nuclei", *data, *more, "--out", "out", timeout=300))


@fault(("field_22", "empty masks and images of one value in training, validation and test"))
def empty_masks(bench: Bench) -> None:
    for split, count in (("train", 4), ("validation", 2), ("test", 2)):
        for index in range(count):
            image, mask = inputs.disc_image(seed=index + 10 * count)
            if index % 2:
                image, mask = np.full_like(image, 7), np.zeros_like(mask)
            inputs.write_pair(bench.folder / "own" / split, f"{split}{index}", image, mask)
    file = inputs.recipe(bench, bench.folder / "own")
    succeeded(bench.run("run", file, "training.epochs=1", "--out", "out", timeout=150))
    consistent(bench.folder / "out")


@fault(("field_27", "images of 21 × 19 px and strips of 13 × 2048 px in training"))
def small_images(bench: Bench) -> None:
    for index in range(6):
        shape = (21, 19) if index % 2 else (13, 2048)
        image = np.random.default_rng(index).integers(0, 200, shape).astype(np.uint8)
        mask = np.zeros(shape, np.uint16)
        mask[4:9, 4:9] = 1
        inputs.write_pair(bench.folder / "own", f"i{index}", image, mask)
    file = inputs.recipe(bench, bench.folder / "own")
    succeeded(bench.run("run", file, "training.epochs=1", "--out", "out", timeout=150))


@fault(("field_30", "learning rate 10, 1e-4 as text, a GPU that is not there, a NaN pixel"))
def settings(bench: Bench) -> None:
    import tifffile
    import torch

    inputs.data(bench, "own")
    refused(dry_run(bench, "own", "training.learning_rate=10"), "learning_rate")
    succeeded(dry_run(bench, "own", "training.learning_rate=1e-4"), ("0.0001", "1e-04"))
    if not torch.cuda.is_available():
        refused(dry_run(bench, "own", "compute.accelerator=gpu"), ("gpu", "accelerator"))
    path = bench.folder / "own" / "train" / "images" / "disc_02.tif"
    pixels = tifffile.imread(path).astype(np.float32)
    pixels[3, 4] = np.nan
    tifffile.imwrite(path, pixels)
    bench.sealed = None
    refused(dry_run(bench, "own"), "disc_02.tif", "nan")
