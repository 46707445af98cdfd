"""Throughput and memory of a large image that is segmented part by part, against the bare network.

    uv run python benchmarks/streaming.py --size 6144 --width 16

An OME-Zarr image of synthetic nuclei is written, and segmented from file to OME-TIFF. The same network then
processes the same tiles, which lie in memory, without anything around it. The ratio is that of both times: 1
would mean that reading, normalizing, decoding and writing take no time. The peak memory is measured before
the bare network starts. `--kill N` first kills the segmentation N times.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cards.base import NetworkSpec
from finetune.data.normalization import Percentile
from finetune.inference.large_images import segment_large
from finetune.inference.model import Model
from finetune.inference.scratch_job import job_folder
from finetune.inference.tiling import Grid
from finetune.networks.stardist_unet import StarDistUNet
from finetune.networks.unet import UNet
from finetune.targets.registry import build_target

DEPTH = 2  # poolings of the U-Net without normalization
PATTERN = 1024  # height and width in pixels of the pattern that the image repeats


def nuclei(side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W) uint16 of blurred discs with noise, and its labels; neighbors touch now and then."""
    from scipy.ndimage import gaussian_filter
    from skimage.draw import disk

    rng = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.int32)
    for number in range(1, side * side // 1500):
        place = disk(rng.integers(0, side, 2), rng.uniform(8, 16), shape=labels.shape)
        if (labels[place] > 0).mean() < 0.05:
            labels[place] = number
    bright = gaussian_filter((labels > 0) * rng.uniform(0.5, 1.0, labels.max() + 1)[labels], 1.5)
    return (3000 + 20000 * bright + rng.normal(0, 300, labels.shape)).astype(np.uint16), labels


def write_image(path: Path, size: int) -> None:
    import zarr

    pattern = nuclei(min(PATTERN, size))[0]
    group = zarr.create_group(path, zarr_format=3)
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    datasets = [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.5]}]},
    ]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    array = group.create_array("0", shape=(size, size), chunks=(PATTERN, PATTERN), dtype="uint16")
    for top in range(0, size, PATTERN):
        for left in range(0, size, PATTERN):
            height, width = min(PATTERN, size - top), min(PATTERN, size - left)
            array[top : top + height, left : left + width] = pattern[:height, :width]


def trained(
    width: int,
    target_name: str,
    steps: int,
    network: Callable[[int], torch.nn.Module] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Model:
    """A U-Net without normalization layers, or another network, that has learned to segment the pattern."""
    torch.manual_seed(0)
    target, normalize = build_target(target_name, options), Percentile()
    if network is None:
        built: torch.nn.Module = StarDistUNet(1, target.channels, depth=DEPTH, width=width, features=0)
    else:
        built = network(target.channels)
    pixels, labels = nuclei(PATTERN)
    image, maps = torch.from_numpy(normalize(pixels[None])), torch.from_numpy(target.encode(labels))
    optimizer = torch.optim.Adam(built.parameters(), 3e-3)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        places = rng.integers(0, (PATTERN - 96) // 4, (4, 2)) * 4
        parts = [(slice(y, y + 96), slice(x, x + 96)) for y, x in places]
        loss = target.loss(
            built(torch.stack([image[:, *part] for part in parts])),
            torch.stack([maps[:, *part] for part in parts]),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Model(
        network=built.eval(),
        target=target,
        normalize=normalize,
        select="auto",
        channels=1,
        divisor=divisor_of(built),
        architecture=NetworkSpec(repository="benchmark", name="unet"),
    )


def divisor_of(network: torch.nn.Module) -> int:
    """Heights and widths that the network takes are multiples of this: as it states, or by its poolings."""
    if isinstance(network, UNet):
        return int(2 ** (len(network.encoder) - 1))
    return int(getattr(network, "divisor", 2**DEPTH))


def bare_seconds(model: Model, size: int) -> float:
    """Time of the network alone for all tiles of the image."""
    grid = Grid(size, size, model.divisor, halo=model.tile_halo())
    tiles = list(grid)
    image = torch.rand(1, 1, *(end - start for start, end in tiles[0].window))
    with torch.no_grad():
        model.network(image)
        start = time.perf_counter()
        for _ in tiles:
            model.network(image)
        return time.perf_counter() - start


def kill_and_continue(arguments: argparse.Namespace, image: Path, out: Path) -> int:
    """Start the segmentation and kill it, `arguments.kill` times; returns the number of finished parts."""
    command = [sys.executable, __file__, "--only", str(image), str(out)]
    command += [
        "--width",
        str(arguments.width),
        "--target",
        arguments.target,
        "--steps",
        str(arguments.steps),
    ]
    rng = np.random.default_rng(0)
    for _ in range(arguments.kill):
        process = subprocess.Popen(command, env=os.environ)
        time.sleep(rng.uniform(8, 8 + arguments.within))
        process.send_signal(signal.SIGKILL)
        process.wait()
    return sum(1 for _ in job_folder(out).rglob("*.np?"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=6144, help="height and width of the image in pixels")
    parser.add_argument("--width", type=int, default=16, help="channels of the network at full resolution")
    parser.add_argument("--target", default="foreground_boundary")
    parser.add_argument("--steps", type=int, default=60, help="training steps")
    parser.add_argument("--kill", type=int, default=0, help="how often the segmentation is killed first")
    parser.add_argument("--within", type=float, default=20, help="seconds after which it is killed at most")
    parser.add_argument("--folder", type=Path, help="where files are written; a temporary folder if unset")
    parser.add_argument(
        "--only", nargs=2, type=Path, help="segment this image to this file, and nothing else"
    )
    arguments = parser.parse_args()
    model = trained(arguments.width, arguments.target, arguments.steps)
    if arguments.only:
        segment_large(model, *arguments.only)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        image, out = Path(folder) / "image.zarr", Path(folder) / "labels" / "image.tif"
        write_image(image, arguments.size)
        model.tile_halo()  # measured once, at export
        if arguments.kill:
            finished = kill_and_continue(arguments, image, out)
            print(f"killed {arguments.kill} times; {finished} parts finished")
        stages: dict[str, float] = {}
        start = time.perf_counter()
        instances = segment_large(
            model, image, out, progress=lambda stage, *_: stages.update({stage: time.perf_counter() - start})
        )
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{arguments.size} × {arguments.size} px, {instances:,} instances, {arguments.target}")
        print(f"peak memory {peak:.2f} GiB; file {out.stat().st_size / 1e6:.1f} MB")
        print("time until the end of each stage: " + ", ".join(f"{k} {v:.1f} s" for k, v in stages.items()))
        if arguments.kill:
            return
        bare = bare_seconds(model, arguments.size)
        print(
            f"segmented in {seconds:.1f} s; bare network on the same tiles {bare:.1f} s: {bare / seconds:.2f}"
        )


if __name__ == "__main__":
    main()
