"""BioImage.IO packages are valid and tested, and reproduce the trained model in every weights format."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import finetune
from cards.bioimageio_parts import shortest
from cards.errors import InputError
from finetune.data.reader import Sample
from finetune.export.base import ExportInput
from finetune.export.bioimageio import save_package, write
from finetune.export.crop import crop
from finetune.export.package_test import offline_copy
from finetune.inference.bioimageio_runtime import open_weights, run_test
from finetune.repositories.bioimageio.collection import open_package

FORMATS = ["onnx", "pytorch_state_dict", "torchscript"]


def content(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as package:
        return package.read(name)


@pytest.mark.parametrize("exported", ["plain", "colored"])
@pytest.mark.parametrize("weights_format", FORMATS)
def test_every_format_gives_our_maps_and_labels(request, exported, weights_format):
    exported = request.getfixturevalue(exported)
    model, pixels = exported.model, exported.pixels
    package = open_package(exported.path, check_files=True)
    selected = pixels if model.select == "auto" else pixels[model.select]
    with open_weights(package, weights_format) as predict:
        maps = predict(selected)
    expected = model.predict_maps(model.prepare(pixels))
    assert maps.shape == expected.shape
    assert maps.dtype == np.float32
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    assert np.mean(model.target.decode(maps) > 0) == pytest.approx(
        np.mean(model.predict(pixels) > 0), abs=1e-3
    )


def test_package_holds_three_formats_of_which_the_state_dict_is_the_origin(plain):
    package = open_package(plain.path, check_files=True)
    description = package.description
    assert package.formats == FORMATS
    assert description.weights.pytorch_state_dict.parent is None
    assert description.weights.onnx.parent == "pytorch_state_dict"
    assert description.weights.torchscript.parent == "pytorch_state_dict"


def test_only_the_zip_is_left(plain, colored):
    assert [path.name for path in plain.path.parent.iterdir()] == ["blobs.zip"]
    assert [path.name for path in colored.path.parent.iterdir()] == ["blobs.zip"]


def test_test_input_is_the_raw_image_as_large_as_the_divisor_allows(plain, colored, image):
    pixels = np.load(io.BytesIO(content(plain.path, "test_input.npy")))
    assert pixels.shape == (1, 1, 148, 168)
    assert pixels.dtype == np.float32
    assert np.array_equal(pixels[0], image(height=150, width=170)[:, 1:149, 1:169])
    pixels = np.load(io.BytesIO(content(colored.path, "test_input.npy")))
    assert pixels.shape == (1, 2, 64, 64)  # enlarged


def test_state_dict_is_read_without_running_code(plain):
    weights = torch.load(io.BytesIO(content(plain.path, "weights.pt")), weights_only=True)
    expected = plain.model.network.state_dict()
    assert list(weights) == list(expected)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_architecture_needs_nothing_but_torch(plain):
    source = content(plain.path, "architecture.py").decode()
    assert "finetune" not in source
    assert "class UNet" in source


def test_documents_travel_with_the_package(plain):
    assert "Validation" in content(plain.path, "README.md").decode()
    assert b'"schema_version"' in content(plain.path, "record.json")
    assert content(plain.path, "cover.png").startswith(b"\x89PNG")


def test_no_local_path_leaks(plain):
    for name, each in _unpacked(plain.path.read_bytes()):
        for folder in (
            Path.home(),
            Path(torch.__file__).parents[1],
            Path(finetune.__file__).parents[1],
            "/tmp",
        ):
            assert f"{folder}/".encode() not in each, (name, folder)


def _unpacked(package: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a zip, and in the zips in it: torch's files are zips, too."""
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        for name in opened.namelist():
            each = opened.read(name)
            yield name, each
            if zipfile.is_zipfile(io.BytesIO(each)):
                yield from ((f"{name}/{inner}", held) for inner, held in _unpacked(each))


def test_export_leaves_the_random_numbers_and_determinism_as_they_were(plain, colored):
    np.random.seed(3)
    torch.manual_seed(3)
    expected = (np.random.rand(), torch.rand(1).item())
    assert plain.random == colored.random == expected
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
def test_bioimageio_test_on_the_command_line(plain, colored, foreground_outlines, tmp_path):
    command = Path(sys.executable).with_name("bioimageio")
    for exported in (plain, colored, foreground_outlines):
        done = subprocess.run(
            [command, "test", offline_copy(exported.path, tmp_path)],
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"COLUMNS": "200"},
        )
        assert done.returncode == 0, done.stdout
        assert "passed" in done.stdout
        assert "failed" not in done.stdout


def test_a_package_is_tested_without_the_network(plain, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    run_test(plain.path)


def test_github_accounts_are_in_the_package_but_not_looked_up(plain):
    description = open_package(plain.path, check_files=True).description
    weights = description.weights.torchscript
    for people in (description.authors, description.maintainers, weights.authors):
        assert [(person.name, person.github_user) for person in people] == [("Ada Example", "ada-example")]


def test_a_package_that_gives_another_output_does_not_pass(tmp_path, plain, rewrite):
    path = Path(shutil.copy(plain.path, tmp_path))
    output = np.load(io.BytesIO(content(path, "test_output.npy")))
    changed = io.BytesIO()
    np.save(changed, output + np.float32(0.01))
    rewrite(path, "test_output.npy", changed.getvalue())
    with pytest.raises(
        RuntimeError, match=r"blobs\.zip does not pass `bioimageio test`: Reproduce"
    ) as raised:
        run_test(path)
    assert "\n" not in str(raised.value)


def test_a_single_wrong_weights_format_does_not_pass(tmp_path, plain, rewrite):
    path = Path(shutil.copy(plain.path, tmp_path))
    weights = torch.load(io.BytesIO(content(path, "weights.pt")), weights_only=True)
    changed = io.BytesIO()
    torch.save(weights | {"head.bias": weights["head.bias"] + 2}, changed)
    rewrite(path, "weights.pt", changed.getvalue())
    with pytest.raises(RuntimeError, match=r"Reproduce .*\(pytorch_state_dict\)"):
        run_test(path)


def test_a_network_that_cannot_be_traced_is_not_let_through(tmp_path, make_model, make_record, image):
    class Frozen(torch.nn.Module):
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.network(images) * float(images.shape[-1])

    model = make_model(target="foreground")
    model.network = Frozen(model.network)
    with pytest.raises(RuntimeError, match="TorchScript: the output differs"):
        save_package(model, make_record(model), image(), tmp_path, "frozen")
    assert list(tmp_path.iterdir()) == []


class Printing(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        print(images.shape)
        return self.layer(images)


def test_a_network_that_could_not_be_loaded_without_trust_leaves_a_reason_and_no_folder(
    tmp_path, make_model, make_record, image
):
    model = make_model(target="foreground")
    record, pixels = make_record(model), image()
    model.network, model.torchscript = torch.jit.script(Printing()), True
    sample = Sample("a", pixels, np.ones(pixels.shape[1:], np.int32))
    (reason,) = write(ExportInput(model, record, lambda: [sample]), tmp_path / "bioimageio")
    assert reason.startswith("There is no BioImage.IO package: ")
    assert "prim::Print" in reason
    assert not (tmp_path / "bioimageio").exists()


def test_damaged_packages_are_one_line(plain, tmp_path):
    cut = tmp_path / "cut.zip"
    cut.write_bytes(plain.path.read_bytes()[:2000])
    text = tmp_path / "text.zip"
    text.write_text("not a zip")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(plain.path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"0" if name == "weights.pt" else source.read(name))
    for path in (cut, text, other, tmp_path / "nowhere.zip"):
        with pytest.raises(InputError) as raised:
            open_package(path, check_files=True)
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)


@settings(max_examples=100)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 4, 16, 48]), st.sampled_from([128, 256]))
def test_crop_takes_as_much_of_the_middle_as_the_divisor_allows(height, width, divisor, longest):
    image = np.arange(height * width).reshape(1, height, width)
    part = crop(image, divisor, longest)
    for kept, side in zip(part.shape[1:], (height, width), strict=True):
        assert kept % divisor == 0
        assert kept == max(shortest(divisor), min(side, longest) // divisor * divisor)
    assert set(part.ravel()) <= set(image.ravel())
    if min(height, width) >= shortest(divisor):
        top, left = (height - part.shape[1]) // 2, (width - part.shape[2]) // 2
        assert np.array_equal(part, image[:, top : top + part.shape[1], left : left + part.shape[2]])


@pytest.mark.parametrize("exported", ["flows", "rays"])
@pytest.mark.parametrize("weights_format", FORMATS)
def test_packages_that_yield_labels_yield_ours(request, exported, weights_format):
    exported = request.getfixturevalue(exported)
    with open_weights(open_package(exported.path, check_files=True), weights_format) as predict:
        labels = predict(exported.pixels)
    assert labels.shape == (1, *exported.pixels.shape[1:])
    assert labels.dtype == np.int32
    expected = exported.model.predict(exported.pixels)
    assert len(np.unique(expected)) > 8
    assert same_partition(labels[0], expected)


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two label images differ by the numbers of their instances only."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return len(np.unique(a)) == len(np.unique(b)) == pairs.shape[1] and np.array_equal(a > 0, b > 0)


def test_labels_are_described_as_labels(flows, rays):
    for exported, axes, operation in (
        (flows, "batch channel y x", "cellpose_flow_dynamics"),
        (rays, "batch y x channel", "stardist_postprocessing"),
    ):
        package = open_package(exported.path, check_files=True)
        description = package.description
        (output,) = description.outputs
        assert " ".join(axis.id for axis in output.axes) == axes
        assert output.data.type == "int32"
        assert output.postprocessing[0].id == operation
        assert next(axis for axis in output.axes if axis.id == "channel").channel_names == ["labels"]
        (tolerance,) = description.config.bioimageio.reproducibility_tolerance
        assert tolerance.mismatched_elements_per_million == 5000
        assert len(np.unique(np.load(io.BytesIO(content(exported.path, "test_output.npy"))))) > 8
    kwargs = output.postprocessing[0].kwargs
    assert (kwargs.n_rays, kwargs.grid, kwargs.prob_threshold, kwargs.nms_threshold) == (16, (2, 2), 0.5, 0.4)


def test_maps_are_named(plain, colored, outlines):
    for exported, axis in ((plain, 1), (colored, 1), (outlines, 3)):
        (output,) = open_package(exported.path, check_files=True).description.outputs
        assert tuple(output.axes[axis].channel_names) == exported.model.target.map_names
