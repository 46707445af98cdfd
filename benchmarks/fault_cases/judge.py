"""What a user must observe: one line an error, no traceback, nothing lost, nothing half-written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fault_cases.bench import Bench, Failed, Result

NOISE = (
    "Traceback (most recent call last)",
    "Error while downloading",
    "HTTP Error ",
    "Downloading data from",
    "?B/s",
    "B/s]",
    "it/s]",
    "s/it]",
    "Warning: ",
    " | WARNING ",
    " | ERROR ",
    " | INFO ",
    "terminate called",
)
"""Debug output of Python and of libraries, which no user needs to see."""


def need(condition: object, reason: str) -> None:
    """Fail with a reason unless the condition holds."""
    if not condition:
        raise Failed(reason)


def quiet(result: Result) -> None:
    """No traceback and no debug output of libraries."""
    need(not result.timed_out, "timed out: hangs")
    for noise in NOISE:
        if noise in result.text:
            last = [line for line in result.text.splitlines() if line.strip()][-1]
            kind = "a traceback" if noise.startswith("Traceback") else f"debug output {noise.strip()!r}"
            raise Failed(f"{kind}: {last[:90]}")


def refused(result: Result, *mentions: str | Iterable[str], code: int = 2, lines: int = 1) -> str:
    """The command ended with one line that says what is wrong.

    Args:
        result: of the command.
        mentions: texts that the line has; of several alternatives one is enough. Case does not matter.
        code: exit status.
        lines: number of lines at most.

    Returns:
        The line.
    """
    need(not result.timed_out, "timed out: hangs")
    if result.code == 0:
        raise Failed("accepted without a word: exit 0")
    quiet(result)
    need(result.code == code, f"exit {result.code} instead of {code}: {_last(result)}")
    need(result.errors, f"no line that says why: {_last(result)}")
    need(len(result.errors) <= lines, f"{len(result.errors)} lines instead of one: {result.errors[-1][:80]}")
    message = "\n".join(result.errors)
    need(len(result.errors[0]) < 600, f"a line of {len(result.errors[0])} characters")
    _mentions(message, mentions)
    return message


def succeeded(result: Result, *mentions: str | Iterable[str]) -> None:
    """The command ended well, and says what it must say."""
    quiet(result)
    need(result.code == 0, f"exit {result.code}: {_last(result)}")
    _mentions(result.text, mentions)


def survived(result: Result, *mentions: str | Iterable[str]) -> None:
    """Either right or refused in one line: for faults that may be tolerated or refused."""
    if result.code == 0:
        succeeded(result)
    else:
        refused(result, *mentions)


def nothing(bench: Bench, name: str = "out", *, preview: bool = False) -> None:
    """Neither the output nor a leftover of it is there.

    Args:
        bench: of the fault.
        name: of the output.
        preview: the contact sheet of a dry run that succeeded may be there.
    """
    left = sorted(path.name for path in bench.folder.iterdir() if path.name.startswith((name, ".finetune")))
    if preview and f"{name}.preview.png" in left:
        left.remove(f"{name}.preview.png")
    for path in list(left):
        if (bench.folder / path).is_dir() and not any((bench.folder / path).rglob("*")):
            left.remove(path)  # an empty folder of labels loses nobody anything
    need(not left, f"left behind: {', '.join(left[:4])}")


def clean_temporary(bench: Bench) -> None:
    """No file or folder of finetune's, and nothing large, is left in TMPDIR."""
    need(not (left := temporary(bench.folder / "tmp")), f"left in TMPDIR: {', '.join(left[:3])}")


def temporary(folder: Path) -> list[str]:
    """Names in a folder for temporary files; the few kB that a killed library leaves do not count."""
    found = []
    for path in sorted(folder.iterdir()):
        files = [path] if path.is_file() else [inside for inside in path.rglob("*") if inside.is_file()]
        if "finetune" in path.name or sum(file.stat().st_size for file in files) > 10_000:
            found.append(path.name)
    return found


def labels(bench: Bench, out: str = "out") -> dict[str, np.ndarray]:
    """Label images in a folder, by their names without suffix."""
    import tifffile

    return {path.stem: tifffile.imread(path) for path in sorted((bench.folder / out).glob("*.tif"))}


def labeled(bench: Bench, names: Iterable[str], out: str = "out") -> None:
    """Label images are there for these names, equal to the reference where there is one."""
    found, reference = labels(bench, out), bench.shared / "labels"
    need(sorted(found) == sorted(names), f"labels of {sorted(found)} instead of {sorted(names)}")
    import tifffile

    for name, pixels in found.items():
        if (reference / f"{name}.tif").exists():
            expected = tifffile.imread(reference / f"{name}.tif")
            need(np.array_equal(pixels, expected), f"other labels of {name} than from the intact model")


def weights(run: Path) -> bytes:
    """Bytes of the exported weights of a run."""
    return (run / "huggingface" / "model.safetensors").read_bytes()


def same_weights(bench: Bench, out: str = "out") -> None:
    """The run is complete, its weights are those of the unbroken run, and its record is about them."""
    run, reference = bench.folder / out, bench.shared / "run" / "out"
    need((run / "record.json").is_file(), "no record.json")
    need(weights(run) == weights(reference), "other weights than the unbroken run")
    consistent(run)
    beside = rf"{re.escape(out)}\.|\.{re.escape(out)}|\.finetune"
    left = [path.name for path in run.parent.iterdir() if re.match(beside, path.name)]
    need(not left, f"left behind: {', '.join(left)}")


def consistent(run: Path) -> None:
    """The record states the hash of the weights beside it."""
    digest = hashlib.sha256(weights(run)).hexdigest()
    need(digest in (run / "record.json").read_text(), "record.json is about other weights")
    with (run / "record.json").open() as file:
        json.load(file)


def partial(bench: Bench, out: str = "out") -> Path | None:
    """The folder of an unfinished run, wherever it is kept beside the output."""
    for path in sorted(bench.folder.iterdir()):
        if path.is_dir() and path.name != out and out in path.name and any(path.rglob("recipe.yaml")):
            return path
    return None


def _mentions(text: str, mentions: Iterable[str | Iterable[str]]) -> None:
    lower = re.sub(r"\s+", " ", text).lower()
    for mention in mentions:
        choices = [mention] if isinstance(mention, str) else list(mention)
        need(
            any(word.lower() in lower for word in choices),
            f"does not say {' or '.join(choices)}: {text[:90]}",
        )


def _last(result: Result) -> str:
    lines = [line for line in result.text.splitlines() if line.strip()]
    return lines[-1][:90] if lines else "prints nothing"


def same_images(found: dict[str, np.ndarray], expected: np.ndarray) -> None:
    """All label images are equal to the expected one."""
    need(found, "no label images")
    other = sorted(name for name, pixels in found.items() if not np.array_equal(pixels, expected))
    need(not other, f"other labels: {', '.join(other[:6])}")
