"""Does memory stay flat as the number of images grows?

    python benchmarks/memory.py [--few 50] [--many 5000] [--side 256]

Writes that many small images with labels into a temporary folder, then, in a process of its own for each
number, checks them all and runs one epoch of the data module over them, without workers. Prints the peak
resident memory of the process, and the ratio. All that the process imports counts, so look at the difference.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MEBI = 2**20
UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def write_images(root: Path, count: int, side: int) -> None:
    """Noise, and nine square labels; every image is another."""
    import tifffile

    labels = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((side // 3, side // 3))).astype(np.uint16)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for index in range(count):
        noise = np.random.default_rng(index).integers(0, 4096, labels.shape).astype(np.uint16)
        tifffile.imwrite(root / "images" / f"{index}.tif", noise)
        tifffile.imwrite(root / "masks" / f"{index}.tif", labels)


def one_epoch(root: Path) -> dict[str, float]:
    """Check the data and draw one patch an image; bytes of peak memory, and seconds."""
    from finetune.data.augmentation import Augmentation
    from finetune.data.datamodule import SegmentationData
    from finetune.data.inspection import check_data
    from finetune.data.normalization import Percentile
    from finetune.data.pairs import find_pairs
    from finetune.data.splits import assign_splits
    from finetune.targets.registry import build_target

    pairs, _ = assign_splits(find_pairs(root), validation=0, test=0)
    started = time.perf_counter()
    files, _ = check_data(pairs, "instances", "instances", "auto", root)
    checked = time.perf_counter()
    data = SegmentationData(
        pairs,
        build_target("foreground_boundary"),
        Percentile(),
        label_kind="instances",
        channels="auto",
        augmentation=Augmentation(),
        patch=128,
        batch_size=10,
    )
    batches = sum(1 for _ in data.train_dataloader())
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    return {
        "images": len(files),
        "batches": batches,
        "peak": peak,
        "check_seconds": checked - started,
        "epoch_seconds": ended - checked,
    }


def measure(count: int, side: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        write_images(root, count, side)
        command = [sys.executable, __file__, "--epoch", str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{result['images']:5.0f} images: peak {result['peak'] / MEBI:6.0f} MiB, "
        f"checked in {result['check_seconds']:.1f} s, one epoch in {result['epoch_seconds']:.1f} s",
        flush=True,
    )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of the data module over few and many images.")
    parser.add_argument("--few", type=int, default=50)
    parser.add_argument("--many", type=int, default=5000)
    parser.add_argument("--side", type=int, default=256, help="side of an image in pixels")
    parser.add_argument("--epoch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.epoch:
        print(json.dumps(one_epoch(options.epoch)))
        return
    few, many = (measure(count, options.side) for count in (options.few, options.many))
    more = (many["peak"] - few["peak"]) / MEBI
    print(f"{more:.0f} MiB more, ratio {many['peak'] / few['peak']:.3f}")


if __name__ == "__main__":
    main()
