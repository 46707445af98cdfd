"""Inputs of the faults: tiny data, finished and unfinished runs, packages. Each is made once, if needed."""

from __future__ import annotations

import fcntl
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from discs import write_discs

from fault_cases.bench import Bench, Failed
from fault_cases.judge import partial

NAMES = ("a", "b", "c", "d")

RECIPE = """\
name: tiny
model:
  repository: wipp
  name: unet
  options: {width: 8, depth: 2}
  target: foreground_boundary
data:
  root: ROOT
training:
  epochs: 3
  images_per_epoch: 16
  batch_size: 4
  patch: 32
  learning_rate: 5.0e-3
  workers: 0
  seed: 1
card:
  title: Discs
  description: Finds discs.
"""

PACKAGE_RECIPE = """\
name: tuned
model:
  repository: bioimageio
  name: tiny
  checkpoint: CHECKPOINT
  target: foreground
data:
  root: ROOT
training:
  epochs: 1
  images_per_epoch: 4
  batch_size: 2
  patch: 32
  learning_rate: 1.0e-3
  workers: 0
card:
  title: Discs
  description: Finds discs.
"""


def once(bench: Bench, name: str, make: Callable[[Bench], None]) -> Path:
    """A shared input, made in a workbench of its own by whoever needs it first."""
    folder = bench.shared / name
    with (bench.shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            work = bench.shared / f"making-{name}"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            make(Bench(work, bench.shared, bench.secret, current=f"input {name}"))
            work.rename(folder)
    return folder


def discs(bench: Bench) -> Path:
    """The data set: train and test, of images with masks."""

    def make(work: Bench) -> None:
        write_discs(work.folder / "train", 6)
        write_discs(work.folder / "test", 2, seed=1)

    return once(bench, "discs", make)


def data(bench: Bench, name: str = "data") -> Path:
    """A copy of the data set in the folder of the fault."""
    shutil.copytree(discs(bench), bench.folder / name)
    return bench.folder / name


def recipe(bench: Bench, root: Path | None = None, name: str = "tiny.yaml", text: str = RECIPE) -> str:
    """A recipe file for the data set; returns its name."""
    (bench.folder / name).write_text(text.replace("ROOT", str(root or discs(bench))))
    return name


def images(bench: Bench, name: str = "pred", names: tuple[str, ...] = NAMES) -> Path:
    """A folder of images to predict."""

    def make(work: Bench) -> None:
        write_discs(work.folder, len(NAMES), seed=2)
        for index, stem in enumerate(NAMES):
            (work.folder / "images" / f"disc_{index:02}.tif").rename(work.folder / f"{stem}.tif")

    shared, folder = once(bench, "pred", make), bench.folder / name
    folder.mkdir()
    for stem in names:
        shutil.copy(shared / f"{stem}.tif", folder / f"{stem}.tif")
    return folder


def finished(bench: Bench) -> Path:
    """The finished run of the recipe, unbroken, and the labels that it predicts in `shared/labels`."""

    def make(work: Bench) -> None:
        file, folder = recipe(work), images(work)
        result = work.run("run", file, "--out", "out", timeout=240)
        if result.code:
            raise Failed(f"the unbroken run fails: {result.text[-300:]}")
        result = work.run("predict", "out", folder.name, "--out", "labels")
        if result.code:
            raise Failed(f"the intact model does not predict: {result.text[-300:]}")
        shutil.copytree(work.folder / "labels", work.shared / "labels", dirs_exist_ok=True)

    return once(bench, "run", make) / "out"


def run_copy(bench: Bench, name: str = "run") -> Path:
    """A copy of the finished run in the folder of the fault."""
    shutil.copytree(finished(bench), bench.folder / name)
    return bench.folder / name


def stopped(bench: Bench, where: str = "exporting", out: str = "out") -> Path:
    """An unfinished run in the folder of the fault; returns its folder.

    Args:
        bench: of the fault.
        where: at which the run was killed: "exporting" (training is over) or FIRST (in epoch 2).
        out: `--out` of the run.
    """
    finished(bench)
    name = "stopped-" + where.strip("*/")

    def make(work: Bench) -> None:
        file = recipe(work, root=discs(work))
        work.run("run", file, "--out", "out", send=(where, signal.SIGKILL), timeout=240)
        if partial(work) is None:
            raise Failed("the killed run left nothing to resume")

    source = once(bench, name, make)
    for path in source.iterdir():
        if path.is_dir() and "out" in path.name:
            shutil.copytree(path, bench.folder / path.name.replace("out", out), symlinks=True)
    found = partial(bench, out)
    assert found is not None
    return found


def package(bench: Bench, name: str = "package", **changes: object) -> Path:
    """A copy of a BioImage.IO package of another author: TorchScript, one map of probabilities."""
    from foreign import make_package

    key = "-".join(["package", *changes.get("formats", ("torchscript",))])
    source = once(bench, key, lambda work: _quietly(make_package, work.folder, **changes))
    shutil.copytree(source / "package", bench.folder / name)
    return bench.folder / name


def _quietly(make: Callable[..., object], folder: Path, **changes: object) -> None:
    import contextlib
    import os

    with (
        Path(os.devnull).open("w") as sink,
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
    ):
        make(folder, **changes)


def package_recipe(bench: Bench, checkpoint: Path | str, name: str = "tuned.yaml") -> str:
    """A recipe that fine-tunes a package."""
    text = PACKAGE_RECIPE.replace("CHECKPOINT", str(checkpoint))
    return recipe(bench, name=name, text=text)


def disc_image(shape: tuple[int, int] = (64, 64), seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """One image of discs (uint8) and its labels (uint16)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.uint16)
    for instance in range(1, 8):
        center = rng.integers(8, min(shape) - 8, 2)
        labels[(rows - center[0]) ** 2 + (columns - center[1]) ** 2 < 36] = instance
    image = 20 + 150 * (labels > 0) + rng.normal(0, 10, shape)
    return image.clip(0, 255).astype(np.uint8), labels


def flip(path: Path, position: float = 0.9) -> None:
    """Flip one high bit of a file, at a fraction of its length."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * position) | 3] ^= 0x40
    path.write_bytes(content)


def cut(path: Path, keep: float = 0.5) -> None:
    """Truncate a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def write_pair(root: Path, name: str, image: np.ndarray, mask: np.ndarray, suffix: str = ".tif") -> None:
    """Write an image and its mask to root/images and root/masks."""
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(root / "images" / f"{name}{suffix}", image)
    tifffile.imwrite(root / "masks" / f"{name}{suffix}", mask)
