"""Predictions that are killed (SIGKILL) at random moments and repeated, compared with one that nobody killed.

    uv run python benchmarks/kills.py runs/nuclei --kills 20

The command is `finetune predict`, from a large TIFF to OME-TIFF, from a large OME-Zarr image to OME-Zarr, and
for a folder of small images, with all optional outputs. It is killed at a random time after its start, up to
twice the time of its share of the work, and repeated in the same folder; a command that ends first is
compared, and starts again elsewhere. At the end every file is compared, byte for byte; `prediction.json`
without the time that it states.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import zarr
from streaming import nuclei, write_image

from finetune.inference.journal import JOURNAL

SMALL = 8  # images of the folder
SAVE = "measurements,overlays,outlines,geojson,rois"  # for large images, too


def content(folder: Path) -> dict[str, object]:
    """All files of a folder, without the time that the record states."""
    files: dict[str, object] = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    record = json.loads((folder / "prediction.json").read_text())
    for prediction in record["predictions"]:
        del prediction["created"]
    return files | {"prediction.json": record}


def is_complete(folder: Path) -> bool:
    """Whether a command had written everything, so that only its end was killed."""
    return (folder / "prediction.json").is_file() and not (folder / JOURNAL).exists()


def kill_and_repeat(command: list[str], folder: Path, kills: int, rng: np.random.Generator) -> str:
    """Kill a prediction; returns a summary in words."""

    def start(out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL)

    began = time.perf_counter()
    process = start(folder / "whole")
    while process.poll() is None and not (folder / "whole").exists():
        time.sleep(0.02)
    startup = time.perf_counter() - began  # before that, a command writes nothing
    if process.wait():
        raise SystemExit("the prediction fails")
    seconds, expected = time.perf_counter() - began, content(folder / "whole")
    longest = 2 * (seconds - startup) / kills + seconds / 10
    killed = completed = different = 0
    unfinished = True
    while killed < kills or unfinished:
        out = folder / f"killed{completed}"
        process, unfinished = start(out), True
        try:
            process.wait(0.9 * startup + rng.uniform(0, longest) if killed < kills else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            if not is_complete(out):
                continue
        if process.returncode > 0:  # it was not killed
            raise SystemExit(f"a repeated command ends with {process.returncode}")
        found = content(out)
        names = [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
        if names:
            different += 1
            print(f"{out.name}: {len(names)} files differ or are missing, such as {min(names)}", flush=True)
        completed, unfinished = completed + 1, False
    return f"{killed} kills of {completed} predictions ({seconds:.0f} s each), {different} differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run, or any model of one channel")
    parser.add_argument("--kills", type=int, default=20, help="of each kind of prediction")
    parser.add_argument("--size", type=int, default=4200, help="pixels along a side of the large image")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_image(folder / "large.zarr", arguments.size)
        pixels = zarr.open_array(folder / "large.zarr" / "0", mode="r")[...]
        tifffile.imwrite(folder / "large.tif", pixels, tile=(512, 512), compression="zlib")
        (folder / "small").mkdir()
        for number in range(SMALL):
            tifffile.imwrite(folder / "small" / f"{number}.tif", nuclei(256 + number)[0])
        command = [sys.executable, "-m", "finetune.cli", "predict", arguments.run]
        every = f"{SAVE},probabilities"
        for title, options in {
            "large TIFF": [folder / "large.tif", "--save", SAVE],
            "large OME-Zarr": [folder / "large.zarr", "--save", SAVE, "--format", "ome-zarr"],
            "small images, OME-TIFF": [folder / "small", "--save", every],
            "small images, OME-Zarr": [folder / "small", "--save", every, "--format", "ome-zarr"],
        }.items():
            place = folder / title.replace(" ", "-")
            summary = kill_and_repeat([*command, *map(str, options)], place, arguments.kills, rng)
            print(f"{title}: {summary}", flush=True)


if __name__ == "__main__":
    main()
