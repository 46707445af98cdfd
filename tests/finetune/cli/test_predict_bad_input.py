"""`finetune predict` with bad input: one clear line each, and good results are kept."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from forked_command import run_command
from saved_model import save_small_model

from finetune.data.images import read_labels

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("model"))


def predict(*arguments: object, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, which can write files up to a limit in bytes."""
    return run_command("predict", *arguments, cwd=Path.cwd(), largest_file=limit)


def test_images_of_any_size_and_type_are_segmented_among_damaged_ones(model: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    tifffile.imwrite(images / "a.tif", RNG.integers(0, 255, (40, 30)).astype(np.uint8))
    tifffile.imwrite(images / "b.tif", RNG.integers(0, 4095, (17, 64)).astype(np.uint16))
    tifffile.imwrite(images / "c.tif", RNG.random((33, 33)).astype(np.float32))
    tifffile.imwrite(images / "d.tif", np.full((8, 8), np.nan, np.float32))
    (images / "e.tif").write_bytes((images / "a.tif").read_bytes()[:300])
    (images / "f.png").write_bytes(b"")
    tifffile.imwrite(images / "g.tif", np.zeros((5, 16, 16), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    done = predict(model, images, "--out", tmp_path / "labels", "--save", "measurements,overlays,rois")
    assert done.returncode == 1
    shapes = {path.name: read_labels(path).shape for path in (tmp_path / "labels").glob("*.tif")}
    assert shapes == {"a.tif": (40, 30), "b.tif": (17, 64), "c.tif": (33, 33)}
    lines = done.stderr.splitlines()
    assert len(lines) == 5 and lines[-1] == "finetune: 4 of 7 images failed: d.tif, e.tif, f.png, g.tif"
    assert any("g.tif: holds 5 planes" in line and line.endswith("--planes") for line in lines)
    images_in_record = json.loads((tmp_path / "labels" / "prediction.json").read_text())["predictions"][0][
        "images"
    ]
    assert [image["error"] is None for image in images_in_record] == [True] * 3 + [False] * 4


def test_a_disk_that_is_full_midway_keeps_what_is_finished(model: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    tifffile.imwrite(images / "a.tif", np.zeros((32, 32), np.uint8))
    tifffile.imwrite(images / "b.tif", RNG.integers(0, 255, (400, 400)).astype(np.uint8))
    tifffile.imwrite(images / "c.tif", np.zeros((32, 32), np.uint8))
    done = predict(model, images, "--out", tmp_path / "labels", "--save", "overlays", limit=60_000)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "b.png: the disk is full" in line and "--out" in line
    out = tmp_path / "labels"
    assert visible(out) == ["a.tif", "overlays/a.png", "prediction.json"]
    (entry,) = json.loads((out / "prediction.json").read_text())["predictions"][0]["images"]
    assert entry["image"] == "a.tif" and done.stdout.startswith(str(out / "a.tif"))
    written = (out / "a.tif").stat().st_mtime_ns
    again = predict(model, images, "--out", out, "--save", "overlays")  # with more space
    assert again.returncode == 0, again.stderr
    assert (out / "a.tif").stat().st_mtime_ns == written
    assert len(visible(out)) == 7 and not list(out.glob(".*"))


def visible(folder: Path) -> list[str]:
    """Files of a folder and its subfolders that are not hidden."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(path.relative_to(folder).as_posix() for path in files)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("*.czi", "no file matches this pattern"), ("nowhere.tif", "no such file or folder")],
)
def test_an_input_that_does_not_exist_is_one_line(
    model: Path, tmp_path: Path, pattern: str, words: str
) -> None:
    done = predict(model, tmp_path / pattern, "--out", tmp_path / "labels")
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line == f"finetune: {tmp_path / pattern}: {words}"
    assert not (tmp_path / "labels").exists()


def test_an_ensemble_whose_models_differ_is_one_line_that_says_how(model: Path, tmp_path: Path) -> None:
    other = save_small_model(tmp_path / "other", "boundary")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((32, 32), np.uint8))
    done = predict(model, tmp_path / "a.tif", "--ensemble", other, "--out", tmp_path / "labels")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"finetune: {other}: the target is boundary, that of {model} is foreground;")
    assert not (tmp_path / "labels").exists()
