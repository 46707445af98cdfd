"""The weights are the ones on the card: files that differ from the record beside them are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import examples
import pytest
import torch
from safetensors.torch import load_file, save_file

import finetune
from cards.errors import ModelError
from cards.record import File, RunRecord
from finetune.data.normalization import Percentile
from finetune.export.huggingface import save_model
from finetune.inference.model import Model
from finetune.repositories.registry import LoadOptions, load
from finetune.targets.registry import build_target
from finetune.weights.state_dict import read_state_dict


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A run folder with weights and configuration, and no record."""
    folder = tmp_path_factory.mktemp("run")
    target = build_target("foreground")
    loaded = load("wipp", "unet", LoadOptions(1, target.channels, options={"width": 8, "depth": 2}))
    model = Model(loaded.network, target, Percentile(), "auto", 1, loaded.divisor, loaded.architecture)
    save_model(model, folder / "huggingface")
    return folder


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    """The run folder with its record."""
    folder = shutil.copytree(written, tmp_path / "run")
    state(folder, examples.sparse())
    return folder


def state(folder: Path, record: RunRecord) -> None:
    files = [
        File(
            path=f"huggingface/{path.name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            bytes=path.stat().st_size,
        )
        for path in sorted((folder / "huggingface").glob("*.*"))
    ]
    (folder / "record.json").write_text(record.model_copy(update={"files": files}).dumps(), "utf-8")


def complaint(folder: Path) -> str:
    with pytest.raises(ModelError) as refused:
        finetune.load(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_an_unchanged_run_loads(run: Path) -> None:
    assert finetune.load(run).channels == 1


def test_weights_that_differ_from_the_record_are_refused(run: Path) -> None:
    path = run / "huggingface" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert "model.safetensors: differs from the file on the model card" in complaint(run)
    with pytest.raises(ModelError, match="differs from the file on the model card"):
        load("wipp", "unet", LoadOptions(1, 1, checkpoint=run))
    (run / "record.json").rename(run / "huggingface" / "record.json")
    assert "model.safetensors: differs" in complaint(run / "huggingface")


def test_a_configuration_that_differs_from_the_record_is_refused(run: Path) -> None:
    path = run / "huggingface" / "config.json"
    path.write_text(path.read_text().replace("99.8", "99.9"))
    assert "config.json: differs from the file on the model card" in complaint(run)


def test_weights_that_are_not_finite_are_refused(run: Path, tmp_path: Path) -> None:
    (run / "record.json").unlink()
    path = run / "huggingface" / "model.safetensors"
    weights = load_file(path)
    name = list(weights)[3]
    weights[name].view(-1)[0] = float("nan")
    save_file(weights, path)
    assert f"{name} has values that are not finite" in complaint(run)
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="has values that are not finite"):
        read_state_dict(tmp_path / "weights.pth")


@pytest.mark.parametrize("change", [{"channels": 10**9}, {"architecture": {"width": 10**9}}])
def test_an_absurd_configuration_is_one_line(run: Path, change: dict) -> None:
    (run / "record.json").unlink()
    path = run / "huggingface" / "config.json"
    config = json.loads(path.read_text())
    if "architecture" in change:
        config["architecture"]["options"] |= change["architecture"]
    else:
        config |= change
    path.write_text(json.dumps(config))
    assert str(run) in complaint(run)
