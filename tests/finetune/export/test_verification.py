"""Verification of exports passes for equal weights and fails for different ones."""

from __future__ import annotations

import io
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cards.errors import InputError
from cards.record import ExportCheck
from finetune.data.reader import Sample
from finetune.export.huggingface import save_model
from finetune.export.verification import check_exports
from finetune.metrics.dice import dice


@pytest.fixture
def samples(image) -> list[Sample]:
    """Images of sizes that fit the divisor and that do not, one smaller than it."""
    sizes = [(68, 64), (71, 83), (2, 30)]
    pixels = [image(height=height, width=width, seed=seed) for seed, (height, width) in enumerate(sizes)]
    return [
        Sample(f"image{index}", each, (each[0] > each.mean()).astype(np.int32))
        for index, each in enumerate(pixels)
    ]


@pytest.fixture
def run(tmp_path, plain) -> Path:
    """A run folder with both exports."""
    folder = tmp_path / "run"
    save_model(plain.model, folder / "huggingface")
    (folder / "bioimageio").mkdir()
    shutil.copy(plain.path, folder / "bioimageio")
    return folder


def equal(checks: list[ExportCheck]) -> dict[str, bool]:
    return {check.format: check.equal for check in checks}


def test_all_exports_of_a_model_are_equal_to_it(run, plain, samples):
    checks = check_exports(run, plain.model, iter(samples))
    assert equal(checks) == {
        "safetensors": True,
        "onnx": True,
        "pytorch_state_dict": True,
        "torchscript": True,
    }
    assert [check.artifact for check in checks] == [
        "huggingface/model.safetensors",
        *["bioimageio/blobs.zip"] * 3,
    ]
    assert checks[0].loaded_by == f"finetune {version('finetune')}"
    assert checks[1].loaded_by == f"bioimageio.core {version('bioimageio.core')}"
    expected = np.mean([dice(plain.model.predict(sample.pixels), sample.labels) for sample in samples])
    assert checks[0].dice == checks[0].trained_dice == pytest.approx(expected)
    for check in checks:
        assert check.images == 3
        assert 0.1 < check.trained_dice < 0.99
        assert check.dice == pytest.approx(check.trained_dice, abs=check.tolerance)


def test_channels_are_chosen_before_a_package_sees_them(tmp_path, colored):
    run = tmp_path / "run"
    (run / "bioimageio").mkdir(parents=True)
    shutil.copy(colored.path, run / "bioimageio")
    labels = colored.model.predict(colored.pixels)
    checks = check_exports(run, colored.model, [Sample("image", colored.pixels, labels)])
    assert [check.trained_dice for check in checks] == [1, 1, 1]
    assert all(check.equal for check in checks)


@pytest.mark.parametrize("exported", ["flows", "rays"])
def test_packages_that_yield_labels_are_scored_by_their_labels(tmp_path, request, exported, image):
    exported = request.getfixturevalue(exported)
    run = tmp_path / "run"
    (run / "bioimageio").mkdir(parents=True)
    shutil.copy(exported.path, run / "bioimageio")
    pixels = [exported.pixels, image(height=75, width=130, seed=2)]  # the second does not fit the divisor
    samples = [
        Sample(f"image{index}", each, (each[0] > each.mean()).astype(np.int32))
        for index, each in enumerate(pixels)
    ]
    checks = check_exports(run, exported.model, samples)
    assert equal(checks) == {"onnx": True, "pytorch_state_dict": True, "torchscript": True}
    assert all(0.1 < check.dice < 0.99 for check in checks)


def test_weights_that_were_tampered_with_are_not_equal(run, plain, samples, rewrite):
    path = run / "huggingface" / "model.safetensors"
    weights = load_file(path)
    save_file(weights | {"head.bias": weights["head.bias"] + 2}, path)
    state_dict = plain.model.network.state_dict()
    changed = io.BytesIO()
    torch.save(state_dict | {"head.bias": state_dict["head.bias"] + 2}, changed)
    rewrite(run / "bioimageio" / "blobs.zip", "weights.pt", changed.getvalue())
    checks = check_exports(run, plain.model, samples)
    assert equal(checks) == {
        "safetensors": False,
        "onnx": True,
        "pytorch_state_dict": False,
        "torchscript": True,
    }
    assert abs(checks[0].dice - checks[0].trained_dice) > 1e-3


def test_exports_of_another_model_are_not_equal(run, make_model, samples):
    assert not any(equal(check_exports(run, make_model(seed=1), samples)).values())


def test_one_image_that_differs_is_enough(run, plain, samples):
    path = run / "huggingface" / "model.safetensors"
    weights = load_file(path)
    # Turns foreground into background: an image without any has a Dice of 0 before and after.
    save_file(weights | {name: -weights[name] for name in ("head.weight", "head.bias")}, path)
    (run / "bioimageio" / "blobs.zip").unlink()
    nothing = Sample("nothing", samples[0].pixels, np.zeros((68, 64), np.int32))
    assert equal(check_exports(run, plain.model, [nothing])) == {"safetensors": True}
    assert equal(check_exports(run, plain.model, [nothing] * 3 + samples[:1])) == {"safetensors": False}


def test_an_artifact_that_cannot_be_loaded_is_an_error(run, plain, samples):
    (run / "bioimageio" / "blobs.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"blobs\.zip: cannot be read as a BioImage\.IO package"):
        check_exports(run, plain.model, samples)


def test_a_run_without_exports_has_nothing_to_check(tmp_path, plain, samples):
    assert check_exports(tmp_path, plain.model, samples) == []
