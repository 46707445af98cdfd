"""Resuming with other images than the run began with: a training image must never become a test image."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from functools import partial as bind
from pathlib import Path

import tifffile

from fault_cases import inputs
from fault_cases.bench import FIRST, Bench
from fault_cases.judge import need, partial, refused
from fault_cases.registry import fault


def _invert(root: Path) -> None:
    path = root / "train" / "images" / "disc_01.tif"
    tifffile.imwrite(path, 255 - tifffile.imread(path))


def _invert_test(root: Path) -> None:
    path = root / "test" / "images" / "disc_01.tif"
    tifffile.imwrite(path, 255 - tifffile.imread(path))


def _mask(root: Path) -> None:
    path = root / "train" / "masks" / "disc_01.tif"
    tifffile.imwrite(path, tifffile.imread(path).T)


def _add(root: Path) -> None:
    image, mask = inputs.disc_image()
    inputs.write_pair(root / "train", "disc_00b", image, mask)


def _remove(root: Path) -> None:
    for kind in ("images", "masks"):
        (root / "train" / kind / "disc_01.tif").unlink()


def _move(root: Path) -> None:
    """A training image becomes a test image."""
    for kind in ("images", "masks"):
        (root / "train" / kind / "disc_01.tif").rename(root / "test" / kind / "disc_01b.tif")


CHANGES: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "data1": ("an image was inverted", "disc_01", _invert),
    "data2": ("a pair was added", "disc_00b", _add),
    "data3": ("the images are gone", "data", shutil.rmtree),
    "data4": ("a pair was removed", "disc_01", _remove),
    "data5": ("a training image became a test image", "disc_01", _move),
    "data6": ("a mask was changed", "disc_01", _mask),
    "data7": ("a test image was changed", "disc_01", _invert_test),
}


def _changed(bench: Bench, change: Callable[[Path], None], name: str) -> None:
    root = inputs.data(bench)
    file = inputs.recipe(bench, root)
    bench.run("run", file, "--out", "out", send=(FIRST, signal.SIGKILL))
    need(partial(bench), "the case itself: nothing to resume")
    change(root)
    bench.seal()
    refused(bench.run("run", "--resume", "out"), name)
    need(any(bench.folder.rglob("last.ckpt")), "the checkpoint is gone")


for _id, (_what, _name, _change) in CHANGES.items():
    fault((f"res_{_id}", f"resume: {_what} meanwhile"))(bind(_changed, change=_change, name=_name))
