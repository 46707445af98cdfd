"""Packages of StarDist whose outlines come from a map: they yield maps, and finetune draws the outlines."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.inference.bioimageio_runtime import open_weights
from finetune.repositories.bioimageio.collection import open_package


@pytest.mark.parametrize("weights_format", ["onnx", "pytorch_state_dict", "torchscript"])
@pytest.mark.parametrize(("exported", "maps"), [("outlines", 17), ("foreground_outlines", 18)])
def test_maps_of_half_the_resolution_have_the_size_of_the_image(request, exported, maps, weights_format):
    exported = request.getfixturevalue(exported)
    package = open_package(exported.path, check_files=True)
    (output,) = package.description.outputs
    assert tuple(output.axes[3].channel_names) == exported.model.target.map_names
    with open_weights(package, weights_format) as predict:
        predicted = predict(exported.pixels)
    assert predicted.shape == (maps, *exported.pixels.shape[1:])
    expected = exported.model.predict(exported.pixels)
    assert expected.max() > 5
    found = exported.model.target.decode(predicted)
    assert len(np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1).T) == expected.max() + 1
