"""Python environments in which BioImage.IO packages are tested, created with uv in the cache folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cards.errors import InputError
from finetune.downloads.archive import cache_folder
from finetune.utils.lock import FileLock, LockedError
from finetune.utils.offline import offline_reason

COMPLETE = "complete"
WAIT_SECONDS = 1800.0  # for another process that creates the same environment; torch is a large download
CURRENT = "current bioimageio.core"


@dataclass(frozen=True)
class TestEnvironment:
    """Packages with which a package is tested.

    Attributes:
        title: its name on cards and in records.
        python: version of Python.
        requirements: as pip takes them.
        reported: distributions whose versions decide the outcome.
    """

    __test__ = False  # not a test of pytest

    title: str
    python: str
    requirements: tuple[str, ...]
    reported: tuple[str, ...] = ("bioimageio.core", "bioimageio.spec", "torch", "numpy", "onnxruntime")


# `zoo`: the versions that the BioImage.IO collection runs. numpy and pydantic follow from what they need:
# bioimageio.spec 0.5.10 and 0.5.12 state no upper bound for pydantic and fail with 2.14. stardist 0.9.1
# imports pkg_resources, which setuptools 81 no longer has.
ENVIRONMENTS = {
    "current": TestEnvironment(
        CURRENT,
        "3.11",
        (
            "bioimageio.core>=0.11",
            "pydantic<2.14",
            "torch",
            "torchvision",
            "onnxruntime",
            "stardist",
            "cellpose",
        ),
    ),
    "zoo": TestEnvironment(
        "BioImage.IO zoo",
        "3.11",
        (
            "bioimageio.core==0.10.4",
            "bioimageio.spec==0.5.10.2",
            "pydantic<2.14",
            "torch==2.5.1",
            "torchvision==0.20.1",
            "numpy==1.26.4",
            "onnxruntime==1.20.1",
            "stardist==0.9.1",
            "setuptools<81",
            "cellpose==3.1.1.2",
        ),
    ),
}


class EnvironmentUnavailable(InputError):
    """An environment cannot be created: uv is not installed, or packages cannot be downloaded."""


def environment_python(name: str) -> Path:
    """Create an environment, unless it exists.

    Args:
        name: a key of `ENVIRONMENTS`.

    Returns:
        Its Python interpreter.

    Raises:
        EnvironmentUnavailable: if uv is not installed, or a package cannot be installed.
        InputError: if another process has been creating the environment for half an hour.
    """
    environment = ENVIRONMENTS[name]
    key = hashlib.sha256("\n".join((environment.python, *environment.requirements)).encode()).hexdigest()[:12]
    folder = cache_folder() / "environments" / f"{name}-{key}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if (folder / COMPLETE).exists():
        return python
    uv = shutil.which("uv")
    if uv is None:
        raise EnvironmentUnavailable(
            f"the environment {name} is created with uv, which is not installed; install it with: "
            "pip install uv"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    _acquire(lock, name)
    try:
        if not (folder / COMPLETE).exists():
            quiet = ["--quiet", *(["--offline"] if offline_reason() else [])]
            _run(name, [uv, "venv", *quiet, "--clear", "--python", environment.python, str(folder)])
            _run(name, [uv, "pip", "install", *quiet, "--python", str(python), *environment.requirements])
            (folder / COMPLETE).touch()
    finally:
        lock.release()
    return python


def _acquire(lock: FileLock, name: str) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            lock.acquire()
            return
        except LockedError as error:
            if time.monotonic() > until:
                raise InputError(
                    f"the environment {name} is still being created after half an hour ({error}); wait for "
                    "that process, or end it and try again"
                ) from error
            time.sleep(1)


def _run(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = " ".join(lines)[:300] or f"uv ended with exit code {done.returncode}"
        offline = offline_reason()
        remedy = f"{offline}: try again with a network" if offline else "check the network and try again"
        raise EnvironmentUnavailable(f"the environment {name} cannot be created: {reason}; {remedy}")
