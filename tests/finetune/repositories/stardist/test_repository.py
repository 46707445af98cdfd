"""StarDist models: Keras weights are read and written; errors for files that do not fit."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from range_server import Files, serve
from tiny_stardist import (
    CONFIG,
    DEPTH,
    FEATURES,
    RAYS,
    WIDTH,
    keras_forward,
    layers,
    load_rays,
    random_weights,
    write,
)

from cards.errors import InputError
from finetune.networks.stardist_unet import StarDistUNet
from finetune.repositories.registry import LoadOptions, build, load, save
from finetune.repositories.stardist import repository as stardist


@contextmanager
def publish(archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """A server with an archive in place of the published 2D_versatile_fluo."""
    name = "2D_versatile_fluo"
    monkeypatch.setitem(stardist.PUBLISHED, name, hashlib.sha256(archive).hexdigest())
    with serve() as server:
        monkeypatch.setattr(stardist, "URL", server.url + "/{name}.zip")
        server.content[f"/{name}.zip"] = archive
        yield server


@pytest.mark.parametrize("style", ["2", "3", "model"])
def test_gives_what_keras_gives(folder: Path, grid: int, style: str) -> None:
    write(folder / "weights_best.h5", weights := random_weights(grid), style)
    loaded = load_rays(folder)
    image = np.random.default_rng(2).normal(size=(16, 24, 1)).astype(np.float32)
    probability, distances, _ = keras_forward(image, weights, grid)
    with torch.no_grad():
        output = loaded.network(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    assert output.shape == (16 // grid, 24 // grid, 1 + RAYS)
    np.testing.assert_allclose(output[..., :1].sigmoid(), probability, atol=1e-6)
    np.testing.assert_allclose(output[..., 1:], distances, atol=1e-5)
    assert loaded.divisor == grid * 2**DEPTH
    assert loaded.normalize == {"name": "percentile", "low": 1.0, "high": 99.8}
    assert loaded.suggests == {"prob_threshold": 0.4862, "nms_threshold": 0.5}


def test_says_where_the_weights_come_from_and_claims_no_license(folder: Path) -> None:
    origin = load_rays(folder).origin
    assert (origin.repository, origin.id, origin.weights) == ("stardist", "unet", "pretrained")
    assert origin.sha256
    assert origin.license is None


def test_random_weights_start_with_a_higher_learning_rate_than_trained_ones(folder: Path) -> None:
    scratch = load("stardist", "unet", LoadOptions(1, 33))
    assert (load_rays(folder).learning_rate, scratch.learning_rate) == (3e-4, 1e-3)
    assert {one.name: one.learning_rate for one in stardist.models()}["unet"] == 1e-3


def test_a_bare_file_and_a_folder_without_the_best_will_do(folder: Path) -> None:
    images = torch.randn(1, 1, 16, 16)
    best, last = folder / "weights_best.h5", folder / "weights_last.h5"
    from_folder, from_last = load_rays(folder).network(images), load_rays(last).network(images)
    torch.testing.assert_close(load_rays(best).network(images), from_folder, rtol=0, atol=0)
    assert not torch.equal(from_last, from_folder)
    best.unlink()
    torch.testing.assert_close(load_rays(folder).network(images), from_last, rtol=0, atol=0)


def test_an_old_configuration_leaves_out_what_was_not_there_yet(tmp_path: Path) -> None:
    old = {"n_channel_in": 1, "n_rays": RAYS, "unet_n_depth": DEPTH, "unet_n_filter_base": WIDTH}
    (tmp_path / "config.json").write_text(json.dumps(old | {"net_conv_after_unet": FEATURES}))
    write(tmp_path / "weights_last.h5", random_weights(1))
    assert load_rays(tmp_path).architecture.options["grid"] == 1


def test_written_as_stardist_writes_it_and_read_again(tmp_path: Path, grid: int) -> None:
    torch.manual_seed(0)
    options = {"grid": grid, "depth": DEPTH, "width": WIDTH, "features": 0, "convolutions": 3}
    built = build("stardist", "unet", in_channels=2, out_channels=1 + RAYS, options=options)
    for parameter in built.network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    target = {"name": "rays", "options": {"prob_threshold": 0.47, "nms_threshold": 0.3}}
    files = stardist.save(built.network, built.architecture, tmp_path / "native", target)
    assert [file.name for file in files] == ["config.json", "weights_best.h5", "thresholds.json"]
    again = load_rays(tmp_path / "native", in_channels=2)
    assert again.architecture == built.architecture
    assert again.suggests == {"prob_threshold": 0.47, "nms_threshold": 0.3}
    for key, values in built.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[key], values), key


def test_what_is_read_is_written_as_it_was(folder: Path, grid: int, tmp_path: Path) -> None:
    loaded = load_rays(folder)
    save(loaded.network, loaded.architecture, tmp_path / "native")
    with h5py.File(tmp_path / "native" / "weights_best.h5") as file:
        renamed = {"conv2d": "conv2d_5", "conv2d_1": "conv2d_6"}
        names = [renamed.get(name.decode(), name.decode()) for name in file.attrs["layer_names"]]
        assert names == list(layers(grid))
        for name, group in zip(names, map(file.get, file.attrs["layer_names"]), strict=True):
            stored = [group[key] for key in group.attrs["weight_names"]]
            for got, expected in zip(stored, random_weights(grid)[name], strict=True):
                np.testing.assert_array_equal(got, expected)
    config = json.loads((tmp_path / "native" / "config.json").read_text())
    assert {key: config[key] for key in CONFIG if key in config} | {"train_epochs": 400} == CONFIG


def test_no_polygon_no_stardist_file(tmp_path: Path) -> None:
    built = build("stardist", "unet", in_channels=1, out_channels=3)
    assert save(built.network, built.architecture, tmp_path / "native") == []
    assert not (tmp_path / "native").exists()


def test_layers_that_do_not_fit_are_counted_and_named(folder: Path, grid: int) -> None:
    weights = random_weights(grid)
    del weights["middle_0"]
    weights["strange"] = weights["prob"]
    write(folder / "weights_best.h5", weights)
    with pytest.raises(InputError) as error:
        load_rays(folder)
    message = str(error.value)
    assert "weights_best.h5: the weights do not fit this network" in message
    assert "2 missing (middle.0.weight, middle.0.bias)" in message
    assert "2 unexpected (strange.weight, strange.bias)" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_channels": 3}, "expects 1 channels, but the images have 3"),
        ({"out_channels": 33}, r"predicts 8 rays, the target has 33 maps; .*model.target_options.rays=8"),
        ({"options": {"width": 32}}, "the checkpoint has width 4, the recipe 32"),
        ({"name": "2D_versatile_floo"}, "did you mean 2D_versatile_fluo"),
        ({"options": {"grid": 3}}, "model unet: grid must be an integer from 1 to 2, got 3"),
        ({"revision": "v0.2"}, r"unknown model.revision of repository stardist 'v0.2'; did you mean v0.1\?"),
        ({"out_channels": 1, "checkpoint": None}, "set model.target=rays"),
        (
            {"out_channels": 2 + RAYS, "options": {"foreground": False}},
            "foreground is false, but not model.targ",
        ),
        (
            {"options": {"foreground": True}},
            "foreground is true, but not model.target_options.foreground: set",
        ),
    ],
)
def test_what_does_not_go_together(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_rays(**({"checkpoint": folder} | changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unet_batch_norm": True}, "unet_batch_norm is True; only models with False are supported"),
        ({"n_classes": 2}, "n_classes is 2; only models with None"),
        ({"grid": [2, 1]}, r"grid is \[2, 1\]"),
    ],
)
def test_a_configuration_of_another_network(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | change))
    write(tmp_path / "weights_best.h5", random_weights(1))
    with pytest.raises(InputError, match=message):
        load_rays(tmp_path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    weights = tmp_path / "weights_best.h5"
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    write(weights, random_weights(1))
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"weights_best\.h5: not an HDF5 file of weights, or truncated"):
        load_rays(tmp_path)
    with h5py.File(weights, "w") as file:
        file.create_group("layers")
    with pytest.raises(InputError, match=r"not weights as StarDist saves them"):
        load_rays(tmp_path)
    with pytest.raises(InputError, match=r"nothing\.h5: cannot read the weights: no such file"):
        load_rays(tmp_path / "nothing.h5")
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json: cannot be read"):
        load_rays(tmp_path)


def test_a_published_model_is_downloaded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    packed = shutil.make_archive(str(tmp_path / "model"), "zip", folder.parent, folder.name)
    with publish(Path(packed).read_bytes(), monkeypatch) as server:
        loaded = load_rays(None, name="2D_versatile_fluo")
        load_rays(None, name="2D_versatile_fluo")
    assert len(server.ranges) == 1
    assert loaded.origin.weights == "pretrained"
    assert (loaded.origin.license, loaded.origin.revision) == ("BSD-3-Clause", "v0.1")
    assert "star-convex" in loaded.origin.citation[0]
    random = load_rays(None, name="2D_versatile_fluo", pretrained=False)
    assert (random.origin.weights, random.origin.license) == ("random", None)


def test_without_a_network_the_error_says_how_to_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(InputError) as error:
        load_rays(None, name="2D_versatile_fluo")
    assert "model.checkpoint=PATH" in str(error.value)
    assert "github.com/stardist/stardist-models" in str(error.value)
    assert not list(tmp_path.rglob("*.h5"))


def test_an_archive_without_a_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README.md", "nothing")
    with (
        publish(packed.getvalue(), monkeypatch),
        pytest.raises(InputError, match="contains no StarDist model"),
    ):
        load_rays(None, name="2D_versatile_fluo")
    assert not list(tmp_path.rglob("README.md"))


def test_published_models_are_those_that_stardist_registers() -> None:
    """The package needs TensorFlow to say so itself; its source says it, too."""
    import importlib.util

    spec = importlib.util.find_spec("stardist")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "models" / "__init__.py").read_text()
    for name, sha256 in stardist.PUBLISHED.items():
        assert f"'{stardist.URL.format(name=name)}', '{sha256}'" in source


def test_its_maps_are_smaller_by_the_grid(grid: int) -> None:
    network = StarDistUNet(2, 5, grid=grid, depth=1, width=4)
    assert network(torch.zeros(1, 2, 8, 12)).shape == (1, 5, 8 // grid, 12 // grid)
