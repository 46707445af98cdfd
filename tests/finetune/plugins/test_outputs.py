"""Outputs are complete or empty, and nothing is written elsewhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from cards.errors import InputError
from finetune.plugins.outputs import staged


@pytest.mark.parametrize("exists", [True, False])
def test_content_appears_when_the_block_ends(tmp_path: Path, exists: bool) -> None:
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
    with staged({"outputDir": out}, {}) as (contents, scratch):
        contents["outputDir"].mkdir()
        (contents["outputDir"] / "a.tif").write_bytes(b"x")
        (scratch / "intermediate").write_bytes(b"x")
        assert not (out / "a.tif").exists()
    assert [path.name for path in out.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("exists", [True, False])
def test_an_error_leaves_nothing(tmp_path: Path, exists: bool) -> None:
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
    with pytest.raises(InputError), staged({"outputDir": out}, {}) as (contents, _):
        contents["outputDir"].mkdir()
        (contents["outputDir"] / "a.tif").write_bytes(b"x")
        raise InputError("stop")
    assert list(tmp_path.rglob("*")) == ([tmp_path / "deep", out] if exists else [])


def test_libraries_write_temporary_files_into_the_output(tmp_path: Path) -> None:
    before = (os.environ.get("TMPDIR"), os.environ.get("MPLCONFIGDIR"), tempfile.gettempdir())
    with staged({"outputDir": tmp_path / "out"}, {}) as (contents, scratch):
        assert tempfile.gettempdir() == os.environ["MPLCONFIGDIR"] == str(scratch)
        contents["outputDir"].mkdir()
    assert (os.environ.get("TMPDIR"), os.environ.get("MPLCONFIGDIR"), tempfile.gettempdir()) == before


def test_outputs_that_would_change_something_are_refused(tmp_path: Path) -> None:
    images, full, file = tmp_path / "images", tmp_path / "full", tmp_path / "file"
    images.mkdir()
    full.mkdir()
    (full / "mine.tif").write_bytes(b"x")
    file.write_bytes(b"x")
    for out, message in (
        (images, "lies in --imageDir, which is only read"),
        (images / "labels", "lies in --imageDir, which is only read"),
        (full, "holds files already"),
        (file, "is not a folder"),
        (file / "below", "cannot write here"),
    ):
        with (
            pytest.raises(InputError, match=f"--outputDir: {out}: {message}"),
            staged({"outputDir": out}, {"imageDir": images}),
        ):
            pass
    same = {"outputDir": tmp_path / "out", "scores": tmp_path / "out"}
    with pytest.raises(InputError, match="--scores: .* is the folder of --outputDir, too"), staged(same, {}):
        pass


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_unwritable_output_is_one_error(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot write here"), staged({"outputDir": locked / "out"}, {}):
        pass
