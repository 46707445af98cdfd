from __future__ import annotations

import dataclasses
import re
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tiny_network
from bioimageio.spec import ValidationContext, save_bioimageio_package
from bioimageio.spec.model.v0_5 import ModelDescr
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cards.bioimageio import StateDict, TorchScript, clean_name, describe, render_documentation
from cards.people import Author
from cards.record import RunRecord
from cards.tags import MODALITIES, STRUCTURES


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """A machine without a network, and what was asked of it."""
    asked = []

    def refuse(*what, **_):
        asked.append(what)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


def packaged(record, parts, path):
    """The names and the rdf.yaml of the package."""
    with ValidationContext(perform_io_checks=False):  # as finetune.export does: accounts are not looked up
        save_bioimageio_package(describe(record, parts), output_path=path)
    with zipfile.ZipFile(path) as package:
        return package.namelist(), package.read("rdf.yaml").decode()


def test_golden_description(either, parts, golden, tmp_path):
    either.model.channels = 1
    names, text = packaged(either, parts, tmp_path / "package.zip")
    golden(f"{either.name}/rdf.yaml", text)
    texts = {"rdf.yaml", "README.md", "record.json"}
    assert set(names) == texts | {path.name for path in parts.test_input.parent.iterdir()}
    assert str(tmp_path) not in text


def test_no_card_waits_for_the_network(full, parts, asked):
    assert any(author.github_user for author in full.card.authors)  # which bioimageio.spec would look up
    full.data.citation.append("See https://another.example.org/page")
    described = describe(full, parts)
    assert "https://another.example.org/page" in [str(entry.url) for entry in described.cite]
    assert asked == []


def test_the_record_fills_the_fields_for_it(full, parts):
    described = describe(full, parts)
    config = described.config.bioimageio
    assert config.training.training_epochs == 40
    assert config.training.training_duration == pytest.approx(1325.4 / 3600, abs=1e-4)
    assert config.model_parameter_count == 4_396_577
    assert config.modality == "fluorescence-light-microscopy"
    assert config.inference_time.startswith("43.2 ms (median), 61.7 ms (95th percentile) per image of 256 ×")
    assert config.memory_requirements_training.startswith("2.50 GiB")
    (evaluation,) = config.evaluations
    results = dict(zip(evaluation.metrics, evaluation.results, strict=True))
    assert results["Dice mean"] == [round(full.accuracy.after.summary["dice"].mean, 4)]
    assert (evaluation.dataset_role, evaluation.sample_count) == ("test", 20)
    assert [str(entry.doi) for entry in described.cite] == [
        "10.1000/182", "10.1038/s41592-019-0612-7", "10.1007/978-3-030-00934-2_30",
        "10.1007/978-3-319-24574-4_28",
    ]  # fmt: skip
    assert described.weights.pytorch_state_dict.parent is None
    assert described.weights.torchscript.parent == "pytorch_state_dict"


def test_what_was_not_measured_is_not_filled(sparse, parts):
    sparse.model.channels = 1
    described = describe(sparse, parts)
    config = described.config.bioimageio
    assert (described.authors, described.cite, described.license) == ([], [], None)
    assert config.inference_time is config.memory_requirements_training is config.modality is None
    assert config.evaluations == []


def test_an_evaluation_needs_the_source_of_its_data(full, parts):
    full.data.source = None
    assert describe(full, parts).config.bioimageio.evaluations == []


@pytest.mark.parametrize(("stated", "id"), [("mit", "MIT"), ("CC-BY-NC-4.0", "CC-BY-NC-4.0")])
def test_known_licenses_go_by_their_id(full, parts, stated, id):
    full.card.license = stated
    assert describe(full, parts).license == id


def test_an_unknown_license_goes_as_a_file(full, parts):
    full.card.license = "Ask the lab"
    describe(full, parts)
    assert (parts.folder / "LICENSE.txt").read_text() == "Ask the lab\n"


def test_the_package_holds_the_record(full, parts):
    own = describe(full, parts).config.finetune
    kept = RunRecord.read(parts.folder)
    assert kept == full
    assert own["record_sha256"] == kept.digest()
    assert own["data_sha256"] == full.data.digest()


def test_a_tensor_of_another_shape_is_refused(full, parts):
    np.save(parts.test_input, np.ones((1, 3, 64, 64), np.float32))
    with pytest.raises(ValidationError, match="incompatible"):
        describe(full, parts)


@given(st.text(max_size=200))
def test_every_title_gives_a_name(title):
    assert re.fullmatch(r"[A-Za-z0-9_+\- ()]{5,128}", clean_name(title))


def test_names_stay_readable():
    assert clean_name("Zellkerne für alle: U-Net/2") == "Zellkerne fur alle U-Net 2"
    assert clean_name("日本") == "model"


def test_the_documentation_says_how_to_validate(either):
    assert re.search("#.*[vV]alidation", render_documentation(either))


def test_modalities_are_those_of_the_specification():
    from bioimageio.spec._internal.constants import TAG_CATEGORIES

    assert {*MODALITIES, "other"} == set(TAG_CATEGORIES["model"]["modality"])
    assert set(STRUCTURES) == set(TAG_CATEGORIES["model"]["content"])


def test_a_real_package_passes_and_its_example_runs(full, parts, tmp_path, monkeypatch):
    import tifffile
    import torch
    from bioimageio.core import test_model as run_test

    torch.manual_seed(0)
    network = tiny_network.Tiny(width=4).eval()
    image = np.random.default_rng(0).normal(100, 20, (1, 1, 64, 64)).astype(np.float32)
    with torch.no_grad():
        mean, std = image.mean(axis=(2, 3), keepdims=True), image.std(axis=(2, 3), keepdims=True)
        output = torch.sigmoid(network(torch.from_numpy((image - mean) / (std + 1e-6)))).numpy()
    made = parts.test_input.parent
    torch.save(network.state_dict(), made / "weights.pt")
    torch.jit.trace(network, torch.zeros(1, 1, 64, 64)).save(str(made / "weights.torchscript"))
    np.save(parts.test_input, image)
    np.save(parts.test_output, output)
    tifffile.imwrite(made / "input.tif", image[0, 0])
    tifffile.imwrite(made / "output.tif", output[0])
    code = Path(tiny_network.__file__)
    version = torch.__version__.split("+")[0]
    parts = dataclasses.replace(
        parts,
        state_dict=StateDict(parts.state_dict.source, code, "Tiny", {"width": 4}, version),
        torchscript=TorchScript(made / "weights.torchscript", version),
        sample_input=made / "input.tif",
        sample_output=made / "output.tif",
        tolerance=(),
    )
    full.card.authors = [Author(name="Ada Example")]  # `bioimageio test` looks up GitHub accounts
    described = describe(full, parts)
    assert isinstance(described, ModelDescr)
    save_bioimageio_package(described, output_path=tmp_path / "unet_nuclei.zip")

    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("image.tif", image[0, 0])
    (example,) = re.findall(r"```python\n(.*?)```", render_documentation(full), re.DOTALL)
    names: dict[str, object] = {}
    exec(example, names)
    np.testing.assert_allclose(np.asarray(names["output"]), output, atol=1e-5)

    summary = run_test(tmp_path / "unet_nuclei.zip")
    assert summary.status == "passed", summary.format()
