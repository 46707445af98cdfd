"""What do the safety checks cost? Loading a 100 MB model, and reading images, with and without them.

    python benchmarks/overhead.py [--peer CHECKOUT] [--images FOLDER] [--rounds 5]

Loading: `finetune.load` of an export (SHA-256 of the weights, all weights checked to be finite) against
building the same network and reading the same file without any check. Reading: `read_image`
of this checkout against that of another one, such as a `git worktree` of an earlier commit. Each measurement
is a process of its own; the two sides take turns, and the fastest of all rounds counts, because other work on
the machine only ever adds time. Prints seconds and ratios.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPEATS = 5  # per process

BUILD = """
from finetune.repositories.registry import LoadOptions, load
def build():
    options = {"width": 30, "depth": 5}
    return load("wipp", "unet", LoadOptions(1, 2, options=options, pretrained=False))
"""

WRITE = (
    BUILD
    + """
import sys
from pathlib import Path
from finetune.data.normalization import Percentile
from finetune.export.huggingface import save_model
from finetune.inference.model import Model
from finetune.targets.registry import build_target
loaded, folder = build(), Path(sys.argv[1])
model = Model(
    network=loaded.network,
    target=build_target("foreground_boundary", {}),
    normalize=Percentile(),
    select="auto",
    channels=1,
    divisor=loaded.divisor,
    architecture=loaded.architecture,
)
save_model(model, folder)
"""
)

TIMED = """
import json, sys, time
def fastest(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
"""

CHECKED = (
    TIMED
    + """
from finetune.loading import load
print(json.dumps(fastest(lambda: load(sys.argv[1]), int(sys.argv[2]))))
"""
)

UNCHECKED = (
    TIMED
    + BUILD
    + """
from safetensors.torch import load_file
def plain():
    network = build().network
    network.load_state_dict(load_file(sys.argv[1] + "/model.safetensors"))
    return network.eval()
print(json.dumps(fastest(plain, int(sys.argv[2]))))
"""
)

READ = (
    TIMED
    + """
from pathlib import Path
from finetune.data.images import read_image
files = [Path(name) for name in sys.argv[3:]]
read_image(files[0])
print(json.dumps(fastest(lambda: [read_image(file) for file in files], int(sys.argv[2]))))
"""
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the safety checks cost.")
    parser.add_argument("--peer", type=Path, help="another checkout, whose read_image is the baseline")
    parser.add_argument("--images", type=Path, help="folder of images; 20 made-up TIFF and PNG by default")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    here = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as temporary:
        export = Path(temporary) / "export"
        _run(here, WRITE, export)
        size = (export / "model.safetensors").stat().st_size / 1e6
        checked, plain = _alternate(
            options.rounds, (here, CHECKED, export, REPEATS), (here, UNCHECKED, export, REPEATS)
        )
        ratio = checked / plain
        print(f"load {size:.0f} MB      {checked:.3f} s with checks, {plain:.3f} s without: {ratio:.3f} x")
        if options.peer:
            files = sorted(options.images.iterdir()) if options.images else _images(Path(temporary))
            ours, theirs = _alternate(
                options.rounds,
                (here, READ, REPEATS, *files),
                (options.peer.resolve(), READ, REPEATS, *files),
                first="-",
            )
            count = len(files)
            print(f"read {count} images   {ours:.3f} s here, {theirs:.3f} s there: {ours / theirs:.3f} x")
    return 0


def _images(folder: Path) -> list[Path]:
    """Ten TIFF and ten PNG files of 1024 x 1024 pixels, 8 and 16 bit."""
    import numpy as np
    import tifffile
    from PIL import Image

    rng, files = np.random.default_rng(0), []
    for index in range(10):
        pixels = rng.integers(0, 255, (1024, 1024), dtype=np.uint8 if index % 2 else np.uint16)
        files += [folder / f"{index}.tif", folder / f"{index}.png"]
        tifffile.imwrite(files[-2], pixels)
        Image.fromarray(pixels).save(files[-1])
    return files


def _alternate(rounds: int, one: tuple, other: tuple, first: str = "") -> tuple[float, float]:
    """Fastest time of each side, in turns."""
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for side, (root, code, *arguments) in enumerate((one, other)):
            arguments = [first, *arguments] if first else arguments
            times[side].append(float(_run(root, code, *arguments)))
    return min(times[0]), min(times[1])


def _run(root: Path, code: str, *arguments: object) -> str:
    """Run code with the packages of a checkout; returns what it printed."""
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{root}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
