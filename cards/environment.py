"""Capture of the environment of a run: hardware, Python, package versions, commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from cards.fingerprint import renderer_digest
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
    "matplotlib",
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
"""Packages whose version can change a result. The record adds those of finetune's extras, and extensions."""


def capture_environment(gpus: list[str], extensions: Iterable[str] = ()) -> Environment:
    """Describe the hardware and software of this process, without user name, host name or paths.

    Args:
        gpus: names of the accelerators in use, from the caller: this package does not import torch.
        extensions: names of packages that add components to finetune.

    Returns:
        The environment for the record; what cannot be determined is None.
    """
    commit, dirty = _git()
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu(),
        cores=_cores(),
        memory_bytes=_memory(),
        gpus=list(gpus),
        packages=_packages(extensions),
        git_commit=commit,
        git_dirty=dirty,
        renderer_sha256=renderer_digest(),
    )


def _packages(extensions: Iterable[str]) -> dict[str, str]:
    """Version by name; packages that are not installed are absent."""
    versions = {}
    for name in (*PACKAGES, *_optional(), *extensions):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _optional() -> list[str]:
    """Names of the packages that finetune's extras install, as its metadata states them."""
    try:
        requirements = metadata.requires("finetune") or []
    except metadata.PackageNotFoundError:
        return []
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requirements if "extra ==" in line]
    return sorted({name for name in names if name != "finetune"})


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
    # An installed package may be in an environment inside an unrelated repository: do not record its commit.
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
