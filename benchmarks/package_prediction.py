"""Prediction with a BioImage.IO package: finetune against bioimageio.core, same package and images, one run.

    python benchmarks/package_prediction.py PACKAGE [--images 5] [--repeats 3]

The images are noisy copies of the package's test image. Prints the median time per image of both, their
ratio, and how far finetune's maps are from the package's own test output.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import create_sample_for_model

import finetune
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.bioimageio.tensors import own_test


def main() -> int:
    parser = argparse.ArgumentParser(description="Time finetune and bioimageio.core on one package.")
    parser.add_argument("package", help="a zip, a folder or an rdf.yaml")
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    package = open_package(options.package)
    test = own_test(package)
    if test is None:
        print(f"{options.package}: has no test tensors", file=sys.stderr)
        return 2
    image, expected = (array.astype(np.float32) for array in test)
    rng, noise = np.random.default_rng(0), 0.01 * image.std()
    images = [image + rng.normal(0, noise, image.shape).astype(np.float32) for _ in range(options.images)]
    model = finetune.load(options.package)
    pipeline = create_prediction_pipeline(package.description, devices=["cpu"])
    pipeline.load()

    def core(pixels: np.ndarray) -> np.ndarray:
        sample = create_sample_for_model(package.description, inputs=pixels[None])
        output = pipeline.predict_sample_without_blocking(sample)
        return np.asarray(next(iter(output.members.values())).data)

    maps = model._predict_maps(image)  # type: ignore[attr-defined]
    core(image)
    times = [(seconds(model.predict, pixels), seconds(core, pixels)) for pixels in images * options.repeats]
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    difference = np.abs(maps - expected).max()
    height, width = image.shape[-2:]
    print(f"{height} × {width} pixels; largest difference from the test output: {difference:.2g}")
    print(f"finetune {1000 * ours:.0f} ms, bioimageio.core {1000 * theirs:.0f} ms: {theirs / ours:.1f} ×")
    return 0


def seconds(function: Callable[[np.ndarray], object], pixels: np.ndarray) -> float:
    start = time.perf_counter()
    function(pixels)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
