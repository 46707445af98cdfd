"""Damaged images and masks in training: one line with the name of the file, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as bind
from pathlib import Path

import numpy as np
import tifffile

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.judge import need, nothing, refused
from fault_cases.predict import write_bomb
from fault_cases.registry import fault


def _truncate(path: Path) -> None:
    pixels = tifffile.imread(path)
    noise = np.random.default_rng(0).integers(0, 4, pixels.shape).astype(pixels.dtype)
    tifffile.imwrite(path, pixels + noise, compression="zlib")
    inputs.cut(path)


def _nan(path: Path) -> None:
    pixels = tifffile.imread(path).astype(np.float32)
    pixels[3, 5] = np.nan
    tifffile.imwrite(path, pixels)


DAMAGE: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "img_bomb": ("a TIFF that declares 400,000 × 400,000 px", "images", write_bomb),
    "img_empty": ("a TIFF of 0 bytes", "images", lambda path: path.write_bytes(b"")),
    "img_nan": ("a NaN pixel", "images", _nan),
    "img_trunc": ("a truncated TIFF among good ones", "images", _truncate),
    "mask_trunc": ("a truncated mask", "masks", _truncate),
    "mask_bomb": ("a mask that declares 400,000 × 400,000 px", "masks", write_bomb),
}


def _damaged(bench: Bench, kind: str, damage: Callable[[Path], object]) -> None:
    root = inputs.data(bench)
    damage(root / "train" / kind / "disc_03.tif")
    result = bench.run("run", inputs.recipe(bench, root), "--out", "out")
    refused(result, "disc_03.tif")
    need(result.memory < 4e9, f"{result.memory / 1e9:.1f} GB of memory")
    nothing(bench)


for _id, (_what, _kind, _damage) in DAMAGE.items():
    fault((_id, f"training: {_what}"))(bind(_damaged, kind=_kind, damage=_damage))
