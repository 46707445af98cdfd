"""StarDist's head for one class, which predicts the foreground."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import torch
from tiny_stardist import (
    CONFIG,
    DEPTH,
    FEATURES,
    RAYS,
    WIDTH,
    keras_forward,
    load_rays,
    random_weights,
    write,
)

from finetune.repositories.registry import save


def test_the_class_of_a_model_with_one_class_is_the_foreground(tmp_path: Path, grid: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"grid": [grid, grid], "n_classes": 1}))
    write(tmp_path / "weights_best.h5", weights := random_weights(grid, classes=1))
    loaded = load_rays(tmp_path, out_channels=2 + RAYS)
    assert loaded.architecture.options["foreground"]
    image = np.random.default_rng(2).normal(size=(16, 24, 1)).astype(np.float32)
    expected = keras_forward(image, weights, grid)
    assert expected.classes is not None
    with torch.no_grad():
        output = loaded.network(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(output[..., 1:-1], expected.distances, atol=1e-5)
    np.testing.assert_allclose(output[..., -1].sigmoid(), expected.classes[..., 1], atol=1e-6)
    save(loaded.network, loaded.architecture, tmp_path / "native")
    config = json.loads((tmp_path / "native" / "config.json").read_text())
    assert (config["n_classes"], config["n_rays"], config["n_channel_out"]) == (1, RAYS, 1 + RAYS)
    with h5py.File(tmp_path / "native" / "weights_best.h5") as file:  # Keras loads by the order of layers
        names = [name.decode() for name in file.attrs["layer_names"]]
    assert names[-5:] == list(weights)[-5:] == ["features", "features_class", "prob", "dist", "prob_class"]
    again = load_rays(tmp_path / "native", out_channels=2 + RAYS)
    for key, values in loaded.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[key], values, rtol=0, atol=1e-7)
    polygons = load_rays(tmp_path)  # the target of published models
    assert not polygons.architecture.options["foreground"]
    inputs = torch.from_numpy(image).permute(2, 0, 1)[None]
    torch.testing.assert_close(polygons.network(inputs), loaded.network(inputs)[:, :-1])
    bare = tmp_path / "weights_best.h5"
    (tmp_path / "config.json").unlink()
    options = {"grid": grid, "depth": DEPTH, "width": WIDTH, "features": FEATURES}
    state = load_rays(bare, out_channels=2 + RAYS, options=options).network.state_dict()
    assert torch.equal(state["foreground.weight"], loaded.network.state_dict()["foreground.weight"])


def test_weights_without_a_foreground_get_the_head(folder: Path) -> None:
    loaded = load_rays(folder, out_channels=2 + RAYS)
    images = torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(loaded.network(images)[:, :-1], load_rays(folder).network(images))
    assert loaded.architecture.options["foreground"]
    other = load_rays(folder, out_channels=2 + RAYS, seed=1)
    assert not torch.equal(loaded.network(images)[:, -1], other.network(images)[:, -1])
