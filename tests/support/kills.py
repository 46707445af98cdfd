"""Kills predictions at random moments and repeats them; run as a program, so that it may fork.

    python kills.py large-tiff|large-zarr|small-tiff|small-zarr FOLDER KILLS

A moment is an access to a file of the output: opened, renamed, deleted, or a folder created. Half of the
moments are drawn from the whole prediction, and half from its last part, where files get their final names.
For each moment, a prediction into an empty folder kills itself, and the same command is repeated. The program
ends with an error if a repeated command fails or its files differ from those of a prediction that nobody
killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from spots_model import spots_model, write_spots

from finetune.inference.folder import check_headers
from finetune.inference.markers import RECORD_FILE
from finetune.inference.outputs import plan_outputs
from finetune.inference.stream import StreamOptions
from finetune.pipeline.prediction_job import PredictionJob

LAST = 40  # accesses at the end of a prediction, from which half of the moments are drawn
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
SAVED = ("measurements", "outlines", "overlays", "probabilities", "geojson")


def write_images(folder: Path, kind: str) -> None:
    """One image that is segmented part by part, or three that are not."""
    folder.mkdir()
    large = kind.startswith("large")
    for number in range(1 if large else 3):
        write_spots(folder / f"spots{number}.tif", *((301, 262) if large else (90, 80 + number)))


def predict(images: Path, out: Path, kind: str) -> None:
    """The command `finetune predict`, without its output on the terminal."""
    large, label_format = kind.split("-")
    outputs = plan_outputs(
        images,
        out,
        label_format="tiff" if label_format == "tiff" else "ome-zarr",
        save=[kind for kind in SAVED if large == "small" or kind != "probabilities"],
    )
    options = StreamOptions(tile=64, block=128, margin=32, large=150**2)
    job = PredictionJob(spots_model(), [], outputs, *check_headers(outputs), options=options)
    for result in job.run():
        assert result.error is None, result.error


def forked(work: Callable[[], None]) -> int:
    """Run a function in a process of its own; returns how that ended, as `os.waitpid` does."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def on_access(folder: Path, call: Callable[[], None]) -> None:
    """Call a function before each access to a file of a folder, for the rest of the process."""

    def hook(event: str, details: tuple[Any, ...]) -> None:
        if event in EVENTS and isinstance(details[0], str | Path) and str(details[0]).startswith(str(folder)):
            call()

    sys.addaudithook(hook)


def count_accesses(images: Path, out: Path, kind: str) -> int:
    """Accesses of a whole prediction."""
    counted = out.with_name("count.txt")

    def work() -> None:
        count = 0

        def add() -> None:
            nonlocal count
            count += 1

        on_access(out, add)
        predict(images, out, kind)
        counted.write_text(str(count))

    assert forked(work) == 0
    return int(counted.read_text())


def killed_at(moment: int, images: Path, out: Path, kind: str) -> int:
    """A prediction that kills itself before an access; returns how it ended."""

    def work() -> None:
        left = moment

        def count_down() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        on_access(out, count_down)
        predict(images, out, kind)

    return forked(work)


def make_leftovers_old(folder: Path) -> None:
    """As if the command was repeated some seconds later: younger files could be those of another process."""
    for path in folder.rglob(".finetune-*.partial"):
        os.utime(path, (0, 0))


def content(folder: Path) -> dict[str, Any]:
    """All files of a folder, without the time that the record states."""
    files: dict[str, Any] = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    record = json.loads(files[RECORD_FILE])
    for prediction in record["predictions"]:
        del prediction["created"]
    return files | {RECORD_FILE: record}


def main() -> None:
    """Kill and repeat; see above."""
    kind, folder, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    images = folder / "images"
    write_images(images, kind)
    accesses = count_accesses(images, folder / "whole", kind)
    expected = content(folder / "whole")
    rng = np.random.default_rng(0)
    moments = [
        *rng.choice(accesses, kills // 2, replace=False),
        *(accesses - 1 - rng.choice(min(LAST, accesses), kills // 2, replace=False)),
    ]
    for number, moment in enumerate(int(moment) + 1 for moment in moments):  # a moment may be drawn twice
        out = folder / f"killed{number}-at-{moment}"
        ended = killed_at(moment, images, out, kind)
        assert os.WIFSIGNALED(ended), f"access {moment} of {accesses}: it was not killed, but ended {ended}"
        make_leftovers_old(out)
        assert forked(lambda: predict(images, out, kind)) == 0, f"killed at access {moment} of {accesses}"  # noqa: B023
        found = content(out)
        assert list(found) == list(expected), (
            f"access {moment} of {accesses}: {set(found) ^ set(expected)} is left or missing"
        )
        different = [name for name in expected if found[name] != expected[name]]
        assert not different, f"access {moment} of {accesses}: {different} differ"
    print(json.dumps({"accesses": accesses, "kills": len(moments)}))


if __name__ == "__main__":
    main()
