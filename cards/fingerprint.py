"""What things are known by again: hashes of files and pixels, and the environment of a run."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import numpy as np

from cards.record import Environment

PACKAGES = (
    "finetune",
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "numpy",
    "scipy",
    "scikit-image",
    "tifffile",
    "imagecodecs",
    "pillow",
    "stardist",
    "cellpose",
    "sam2",
    "transformers",
    "peft",
    "timm",
    "safetensors",
    "huggingface_hub",
    "bioimageio.core",
    "bioimageio.spec",
    "onnx",
    "onnxruntime",
)
"""Packages whose version can change a result; those not installed are left out of the record."""


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_pixels(array: np.ndarray) -> str:
    r"""SHA-256 of an array's values, as 64 hexadecimal digits; the same however they were stored.

    Canonical form: the text `int32:H,W\n` (the kind, a colon, the shape joined by commas, a newline; ASCII),
    then the values in C order, little-endian. Booleans and integers count as int32, floats as float32, so
    that an image saved again with another compression, byte order or integer width keeps its hash.

    Raises:
        ValueError: if an integer does not fit int32, or the array holds neither integers nor floats.
    """
    if array.dtype.kind in "bui":
        if array.size and not np.can_cast(array.dtype, np.int32):
            low, high = int(array.min()), int(array.max())
            if low < -(2**31) or high >= 2**31:
                raise ValueError(f"values from {low} to {high} do not fit int32")
        kind, canonical = "int32", "<i4"
    elif array.dtype.kind == "f":
        kind, canonical = "float32", "<f4"
    else:
        raise ValueError(f"no canonical form for {array.dtype}")
    digest = hashlib.sha256(f"{kind}:{','.join(map(str, array.shape))}\n".encode("ascii"))
    digest.update(np.ascontiguousarray(array, dtype=canonical).data)
    return digest.hexdigest()


def environment(gpus: list[str]) -> Environment:
    """Where this process runs. Holds no user name, host name or path.

    Args:
        gpus: names of the accelerators in use; the caller knows them, this package does not import torch.
    """
    commit, dirty = _git()
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu(),
        cores=_cores(),
        memory_bytes=_memory(),
        gpus=list(gpus),
        packages=_packages(),
        git_commit=commit,
        git_dirty=dirty,
    )


def _packages() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _cores() -> int:
    """Cores this process may use: a container is often given fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _git() -> tuple[str | None, bool | None]:
    """Commit of the source checkout and whether it was changed since; None for an installed package."""
    root = Path(__file__).resolve().parent.parent
    # An installed package may lie in an environment inside somebody else's repository: that one is not ours.
    if not (root / ".git").exists():
        return None, None
    commit = _run_git(root, "rev-parse", "--verify", "HEAD")
    status = _run_git(root, "status", "--porcelain")
    if commit is None or status is None:
        return None, None
    return commit, bool(status)


def _run_git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
