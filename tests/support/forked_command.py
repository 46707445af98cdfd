"""The command line in a process of its own, forked from a server that has imported torch already.

The process has its own exit code, streams, environment, working directory and limits, like one from a shell,
but skips the seconds of the imports. Imported in advance are packages that read no environment variable that
a test sets, and huggingface_hub, whose variables are read again. The process imports finetune itself.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.reduction import DupFd
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

PRELOADED = [
    "jinja2",
    "markdown_it",
    "pydantic",
    "pytorch_lightning",
    "rich.console",
    "ruamel.yaml",
    "scipy.ndimage",
    "skimage.measure",
    "tifffile",
    "torch",
    "torchvision",
    "typer.testing",
]


def run_command(
    *arguments: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    program: str = "finetune.cli.main",
    largest_file: int | None = None,
    timeout: float = 300,
) -> CompletedProcess[str]:
    """Run `finetune` with arguments, as `subprocess.run` does.

    Args:
        arguments: after `finetune`.
        cwd: working directory.
        env: environment variables; those of this process if unset.
        program: module whose `main` is called.
        largest_file: bytes to which a file can grow, as on a disk that is full.
        timeout: seconds after which the process is killed.

    Returns:
        Exit code and output.

    Raises:
        TimeoutExpired: if it was killed.
    """
    words = ["finetune", *map(str, arguments)]
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    streams = _Stream(out_end), _Stream(err_end)
    environment = dict(os.environ if env is None else env)
    process = context.Process(target=_main, args=(words, cwd, environment, program, largest_file, *streams))
    process.start()
    os.close(out_end)
    os.close(err_end)
    with ThreadPoolExecutor(2) as pool:
        texts = pool.map(_read, (out, err))
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutExpired(words, timeout)
        return CompletedProcess(words, process.exitcode, *texts)


class _Stream:
    """A file descriptor that a process inherits."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _detach, (DupFd(self.descriptor),)


def _detach(duplicate: Any) -> int:
    return duplicate.detach()


def _read(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8") as file:
        return file.read()


def _main(
    words: list[str],
    cwd: Path,
    env: dict[str, str],
    program: str,
    largest_file: int | None,
    out: int,
    err: int,
) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # by line
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = words
    if constants := sys.modules.get("huggingface_hub.constants"):  # Lightning imports it
        importlib.reload(constants)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    importlib.import_module(program).main()
