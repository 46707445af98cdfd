"""Disks that are full, read-only or fail: one line, what was trained is kept, and the run can be resumed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from fault_cases import inputs
from fault_cases.bench import Bench, Skipped
from fault_cases.judge import need, partial, refused, same_weights, succeeded
from fault_cases.moments import io_error
from fault_cases.registry import fault


@contextlib.contextmanager
def disk(bench: Bench, options: str) -> Iterator[Path]:
    """A small file system in the folder `out-disk` while the block runs."""
    folder = bench.folder / "out-disk"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "faults", folder], capture_output=True, text=True
    )
    if os.geteuid() != 0 or done.returncode:
        raise Skipped("needs a file system that only root can mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def grow(folder: Path, size: str) -> None:
    """Free some space, as a user would."""
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def _full_run(bench: Bench, name: str, size: str, keeps: bool) -> None:
    """A disk of this size: the run stops with one line; with more space it is resumed, or begins anew."""
    finished = inputs.finished(bench)
    file = inputs.recipe(bench)
    with disk(bench, f"size={size}") as folder:
        with bench.row(name):
            refused(bench.run("run", file, "--out", "out-disk/out", timeout=150), "disk", ("full", "space"))
            need(not (folder / "out").exists(), "an unfinished run has the name of a finished one")
        if keeps:
            with bench.row(f"{name}_r"):
                grow(folder, "100M")
                succeeded(bench.run("run", "--resume", "out-disk/out", timeout=150))
                same = (folder / "out" / "huggingface" / "model.safetensors").read_bytes()
                need(same == (finished / "huggingface" / "model.safetensors").read_bytes(), "other weights")


@fault(("full_train", "disk full at the first checkpoint"))
def full_at_first(bench: Bench) -> None:
    finished = inputs.finished(bench)
    size = (finished / "checkpoints" / "last.ckpt").stat().st_size // 2048
    file = inputs.recipe(bench)
    with disk(bench, f"size={size}k") as folder:
        refused(bench.run("run", file, "--out", "out-disk/out"), "disk", ("full", "space"))
        left = [path for path in folder.rglob("*") if path.is_file()]
        need(not left, f"left behind: {left[:2]}")


@fault(
    ("full_ckpt2", "disk full at the second checkpoint or so"),
    ("full_ckpt2_r", "resumed after space was freed"),
)
def full_at_second(bench: Bench) -> None:
    size = (inputs.finished(bench) / "checkpoints" / "last.ckpt").stat().st_size
    _full_run(bench, "full_ckpt2", f"{int(size * 2.6) // 1024}k", True)


@fault(("full_export", "disk full in the exports"), ("full_export_r", "resumed after space was freed"))
def full_in_exports(bench: Bench) -> None:
    total = sum(path.stat().st_size for path in inputs.finished(bench).rglob("*") if path.is_file())
    size = (inputs.finished(bench) / "checkpoints" / "last.ckpt").stat().st_size
    exports = sum(path.stat().st_size for path in inputs.finished(bench).glob("bioimageio/*"))
    _full_run(bench, "full_export", f"{max(total - exports // 2, 3 * size) // 1024}k", True)


@fault(("full_pred2", "disk full (12 kB) in predict"))
def full_predict(bench: Bench) -> None:
    import numpy as np
    import tifffile

    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    for name in "bcdefgh":
        tifffile.imwrite(folder / f"{name}.tif", np.tile(tifffile.imread(folder / "a.tif"), (3, 3)))
    with disk(bench, "size=12k") as mounted:
        result = bench.run("predict", finished, "pred", "--out", "out-disk/l")
        refused(result, "disk", ("full", "space"), code=result.code if result.code in (1, 2) else 2)
        for path in mounted.rglob("*.tif"):
            tifffile.imread(path)  # none is half-written


@fault(("ro", "--out of run on a read-only disk"))
def read_only(bench: Bench) -> None:
    file = inputs.recipe(bench)
    with disk(bench, "ro,size=1M"):
        refused(bench.run("run", file, "--out", "out-disk/run"), "out-disk/run")


@fault(("ro_pred", "--out of predict on a read-only disk"))
def read_only_predict(bench: Bench) -> None:
    finished = inputs.finished(bench)
    inputs.images(bench)
    with disk(bench, "ro,size=1M"):
        refused(bench.run("predict", finished, "pred", "--out", "out-disk/l"), "out-disk/l")


@fault(("ro_cp", "cp to a read-only disk"))
def read_only_copy(bench: Bench) -> None:
    with disk(bench, "ro,size=1M"):
        refused(bench.run("cp", "quickstart", "out-disk/mine.yaml"), "out-disk/mine.yaml")


@fault(("eio_card", "I/O error as README.md of the card is written"), ("eio_card_r", "resumed after that"))
def io_error_in_card(bench: Bench) -> None:
    inputs.finished(bench)
    with bench.row("eio_card"):
        result = bench.run(
            "run", inputs.recipe(bench), "--out", "out", kill=io_error(r"README\.md"), timeout=150
        )
        refused(result)
        need(partial(bench), "nothing to resume is left")
    with bench.row("eio_card_r"):
        succeeded(bench.run("run", "--resume", "out", timeout=150))
        same_weights(bench)
