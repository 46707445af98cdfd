"""Outputs of a plugin: all folders are complete at the end, or none holds anything.

Everything is written in a temporary folder inside an output, and moved when the plugin has finished.
Temporary files of libraries go there, too: a container needs neither HOME nor a writable /tmp.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cards.errors import InputError
from finetune.utils.atomic import PREFIX, disk_errors

SCRATCH_VARIABLES = ("TMPDIR", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
"""Where Python, matplotlib and numba write temporary files; they are read when a library is imported."""

OTHER = "choose another folder"


@contextmanager
def staged(outputs: Mapping[str, Path], inputs: Mapping[str, Path]) -> Iterator[tuple[dict[str, Path], Path]]:
    """Provide a temporary folder for each output; move its content when the block ends without an error.

    Args:
        outputs: final folder of each output. It is missing or empty: platforms create it.
        inputs: folder of each input, which is only read.

    Yields:
        Path for the content of each output, which does not exist yet; and a folder for temporary files.

    Raises:
        InputError: if a folder holds files, lies in an input, is named twice, or cannot be written.
    """
    check(outputs, inputs)
    with ExitStack() as stack:
        works = {name: stack.enter_context(_work(name, path)) for name, path in outputs.items()}
        scratch = next(iter(works.values())) / "tmp"
        scratch.mkdir()
        stack.enter_context(_temporary_files_in(scratch))
        contents = {name: work / "content" for name, work in works.items()}
        yield contents, scratch
        for name, path in outputs.items():
            with disk_errors(path, OTHER):
                for file in sorted(contents[name].iterdir()):
                    file.rename(path / file.name)


def check(outputs: Mapping[str, Path], inputs: Mapping[str, Path]) -> None:
    """Refuse outputs that cannot be written or that would change something.

    Args:
        outputs: final folder of each output.
        inputs: folder of each input.

    Raises:
        InputError: naming the first such output.
    """
    used: dict[Path, str] = {}
    for name, path in outputs.items():
        real = path.resolve()
        for source_name, source in inputs.items():
            if real == source.resolve() or source.resolve() in real.parents:
                raise InputError(f"--{name}: {path}: lies in --{source_name}, which is only read; {OTHER}")
        if real in used:
            raise InputError(f"--{name}: {path}: is the folder of --{used[real]}, too; {OTHER}")
        used[real] = name
        if os.path.lexists(path) and not path.is_dir():
            raise InputError(f"--{name}: {path}: is not a folder; {OTHER}")
        if path.is_dir() and any(path.iterdir()):
            raise InputError(f"--{name}: {path}: holds files already; {OTHER}")
        place = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise InputError(f"--{name}: {path}: cannot write here; {OTHER}")


@contextmanager
def _work(name: str, path: Path) -> Iterator[Path]:
    """A temporary folder inside an output, deleted at the end; so is an empty output that was created."""
    created = [place for place in (path, *path.absolute().parents) if not place.exists()]
    work = path / f"{PREFIX}{secrets.token_hex(8)}"
    with disk_errors(path, OTHER):
        work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for place in created:
            with suppress(OSError):  # it holds the results
                place.rmdir()


@contextmanager
def _temporary_files_in(scratch: Path) -> Iterator[None]:
    before = {variable: os.environ.get(variable) for variable in SCRATCH_VARIABLES}
    directory = tempfile.tempdir
    os.environ |= dict.fromkeys(SCRATCH_VARIABLES, str(scratch.absolute()))
    tempfile.tempdir = str(scratch.absolute())
    try:
        yield
    finally:
        tempfile.tempdir = directory
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value
