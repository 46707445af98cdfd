"""A whole run with StarDist's U-Net: its own file is verified, and audited like the other exports."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from clean_audit import assert_nothing_broken

import finetune
from finetune.recipe.reader import read_recipe

CHANGES = [
    "model.repository=stardist",
    "model.options={width: 8, grid: 1, foreground: true}",
    "model.target=rays",
    "model.target_options={rays: 8, foreground: true, outline_threshold: 0.5}",
    "training.epochs=1",
]
KERNELS = tuple(f"{layer}/{layer}/kernel:0" for layer in ("down_level_0_no_1", "up_level_0_no_2"))


@pytest.mark.slow
def test_tensors_exchanged_in_the_file_of_stardist_are_found(tmp_path: Path, recipe_file: Path) -> None:
    run = tmp_path / "run"
    record = finetune.run(read_recipe(recipe_file, CHANGES), out=run)
    assert [check.format for check in record.exports if check.artifact == "native/weights_best.h5"] == [
        "keras_hdf5"
    ]
    assert all(check.equal for check in record.exports)
    assert_nothing_broken(run, tmp_path / "discs")
    with h5py.File(run / "native" / "weights_best.h5", "r+") as file:
        one, two = (file[name][()] for name in KERNELS)
        file[KERNELS[0]][...], file[KERNELS[1]][...] = two, one
    broken = [claim for claim in finetune.audit(run, recompute=True) if claim.verdict == "broken"]
    assert any(
        claim.statement == "Every file of weights gives the recorded test output."
        and "native/weights_best.h5" in claim.evidence
        for claim in broken
    )
