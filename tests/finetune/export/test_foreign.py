"""Networks from a BioImage.IO package are exported and reloaded without any code of the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from foreign import NETWORK, make_package

from cards.errors import InputError
from cards.record import RunRecord
from finetune.data.normalization import build_normalize
from finetune.export.bioimageio import save_package
from finetune.export.huggingface import save_model
from finetune.inference.model import Model
from finetune.loading import load_model
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.registry import Loaded, LoadOptions, load
from finetune.targets.registry import build_target
from finetune.utils.memory import estimate_training_bytes

# An operation that ONNX has no counterpart of.
NO_ONNX = NETWORK.replace("x = self.encoder(x)", "x = self.encoder(x + 0 * torch.special.i0e(x))")


def start(checkpoint: Path, **options) -> Loaded:
    return load(
        "bioimageio", "tiny", LoadOptions(in_channels=1, out_channels=1, checkpoint=checkpoint, **options)
    )


def as_model(loaded: Loaded) -> Model:
    with torch.no_grad():  # as if it had been trained
        for weight in loaded.network.parameters():
            weight.mul_(1.1)
    normalize = build_normalize(loaded.normalize)
    return Model(
        loaded.network,
        build_target("foreground", {}),
        normalize,
        "auto",
        1,
        loaded.divisor,
        loaded.architecture,
        halo=loaded.halo,
        torchscript=loaded.torchscript,
    )


def record_of(make_record, model: Model, loaded: Loaded) -> RunRecord:
    record = make_record(model)
    base = record.model.model_copy(update={"base": loaded.origin})
    card = record.card.model_copy(update={"license": loaded.origin.license})
    return record.model_copy(update={"model": base, "card": card})


@pytest.fixture(scope="module")
def scripted(tmp_path_factory) -> Path:
    return make_package(
        tmp_path_factory.mktemp("scripted"), id="tiny-fish", version="1.2.0", license="CC-BY-4.0"
    )


@pytest.fixture(scope="module")
def coded(tmp_path_factory) -> Path:
    return make_package(tmp_path_factory.mktemp("coded"), formats=("pytorch_state_dict",))


def test_the_package_names_its_parent_with_license_and_citations(scripted, make_record, image, tmp_path):
    model = as_model(loaded := start(scripted))
    left_out: list[str] = []
    path = save_package(model, record_of(make_record, model, loaded), image(), tmp_path, "tiny", left_out)
    package = open_package(path, check_files=True)
    description = package.description
    assert package.formats == ["onnx", "torchscript"]
    assert left_out == []
    assert description.weights.torchscript.parent is None
    assert description.weights.onnx.parent == "torchscript"
    assert (str(description.parent.id), str(description.parent.version)) == ("tiny-fish", "1.2.0")
    assert description.license == "CC-BY-4.0"
    assert [str(entry.doi) for entry in description.cite] == ["10.1234/tiny"]
    again = start(path)  # a start in its turn, with the trained weights
    expected = dict(model.network.named_parameters())
    assert all(torch.equal(weight, expected[name]) for name, weight in again.network.named_parameters())


def test_a_parent_without_an_id_is_named_in_text_and_config(coded, make_record, image, tmp_path):
    model = as_model(loaded := start(coded, trust=True))
    path = save_package(model, record_of(make_record, model, loaded), image(), tmp_path, "tiny")
    package = open_package(path, check_files=True)
    description = package.description
    assert description.parent is None
    own = yaml.safe_load(yaml.safe_dump(description.config.model_dump(mode="json")))["finetune"]
    assert own["base_id"] == "Tiny network"
    assert own["base_sha256"] == loaded.origin.sha256
    assert "Tiny network" in description.documentation.get_reader().read().decode()
    assert package.formats == ["onnx", "torchscript"]


def test_what_onnx_cannot_hold_is_left_out_and_said(make_record, image, tmp_path):
    loaded = start(make_package(tmp_path, code=NO_ONNX))
    model, left_out = as_model(loaded), []
    path = save_package(
        model, record_of(make_record, model, loaded), image(), tmp_path / "out", "tiny", left_out
    )
    package = open_package(path, check_files=True)
    description = package.description
    assert package.formats == ["torchscript"]
    (sentence,) = left_out
    assert "no ONNX weights" in sentence
    assert sentence in description.documentation.get_reader().read().decode()


@pytest.mark.parametrize("package", ["scripted", "coded"])
def test_a_model_loads_again_where_its_package_is_not(request, package, image, tmp_path):
    source = shutil.copytree(request.getfixturevalue(package), tmp_path / "package")
    model = as_model(start(source, trust=package == "coded"))
    shutil.rmtree(source)
    save_model(model, tmp_path / "huggingface")
    again = load_model(tmp_path / "huggingface")
    np.testing.assert_allclose(
        again.predict_maps(again.prepare(image())), model.predict_maps(model.prepare(image())), atol=1e-5
    )
    assert start(tmp_path / "huggingface").architecture == model.architecture


def test_weights_without_their_network_say_so(scripted, tmp_path):
    save_model(as_model(start(scripted)), tmp_path / "huggingface")
    (tmp_path / "huggingface" / "network.pt").unlink()
    with pytest.raises(InputError, match=r"network\.pt: cannot read the network"):
        load_model(tmp_path / "huggingface")


def test_memory_of_torchscript_is_that_of_its_python(scripted, coded):
    script = estimate_training_bytes(start(scripted).network, (8, 1, 256, 256))
    python = estimate_training_bytes(start(coded, trust=True).network, (8, 1, 256, 256))
    assert 0.5 < script / python < 2
