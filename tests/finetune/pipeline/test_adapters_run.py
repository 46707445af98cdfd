"""Complete runs with a frozen encoder or LoRA: exports are networks without adapters."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clean_audit import assert_nothing_broken
from safetensors.torch import load_file, save_file

import finetune
from finetune.recipe.reader import read_recipe
from finetune.repositories.registry import LoadOptions, load

OPTIONS = {"width": 8, "depth": 2}
SHORT = ["training.epochs=1", "training.average=0.9"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Weights to start from, as a run would have left them."""
    loaded = load("wipp", "unet", LoadOptions(in_channels=1, out_channels=2, options=OPTIONS, seed=5))
    (tmp_path / "base").mkdir()
    save_file(loaded.network.state_dict(), tmp_path / "base" / "model.safetensors")
    (tmp_path / "base" / "config.json").write_text(
        json.dumps({"architecture": loaded.architecture.model_dump()})
    )
    return tmp_path / "base"


@pytest.mark.parametrize("adapt", [pytest.param("head", marks=pytest.mark.slow), "lora"])
def test_exports_have_the_form_of_the_network_they_came_from(
    tmp_path: Path, recipe_file: Path, base: Path, adapt: str
) -> None:
    changes = [f"model.checkpoint={base}", f"model.adapt={adapt}", *SHORT]
    record = finetune.run(read_recipe(recipe_file, changes), out=tmp_path / "run")
    assert record is not None
    before = load_file(base / "model.safetensors")
    after = load_file(tmp_path / "run" / "huggingface" / "model.safetensors")
    assert after.keys() == before.keys()
    assert record.model.adapt is not None
    assert record.model.adapt.name == adapt
    assert record.model.parameters == sum(values.numel() for values in before.values())
    assert 0 < record.model.trainable < record.model.parameters
    assert_nothing_broken(tmp_path / "run", tmp_path / "discs")
    same = {key for key in before if (before[key] == after[key]).all()}
    if adapt == "head":
        assert same == {key for key in before if key.startswith("encoder.")}
    else:  # normalizations and biases have no adapter
        assert same == {key for key in before if before[key].ndim == 1}
    assert len(record.exports) == 4
    assert all(check.equal for check in record.exports)
    card = (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert f"| Adaptation | `{adapt}" in card


@pytest.mark.slow
def test_a_killed_run_with_an_adapter_ends_as_an_unbroken_one(
    tmp_path: Path, recipe_file: Path, base: Path
) -> None:
    command = [sys.executable, "-m", "finetune.cli", "run"]
    changes = [f"model.checkpoint={base}", "model.adapt=lora", "training.average=0.9"]
    subprocess.run([*command, recipe_file, *changes, "--out", "unbroken"], cwd=tmp_path, check=True)
    process = subprocess.Popen(
        [*command, recipe_file, *changes, "--out", "killed"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any("epoch 1/3" in line for line in process.stderr)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    subprocess.run([*command, "--resume", "killed"], cwd=tmp_path, check=True)
    one, two = (
        load_file(tmp_path / name / "huggingface" / "model.safetensors") for name in ("unbroken", "killed")
    )
    for key, values in one.items():
        np.testing.assert_array_equal(two[key], values, err_msg=key)
