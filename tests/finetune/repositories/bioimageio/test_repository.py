"""BioImage.IO packages as base models: networks, and errors for unsupported ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import NETWORK, refused, replace, start

from finetune.data.normalization import build_normalize

SOFTMAX = NETWORK.replace("nn.Sigmoid() if sigmoid else nn.Identity()", "nn.Softmax(1)")
# A gate with one map, like the last layer, is defined after it.
GATED = NETWORK.replace("self.sigmoid = ", "self.gate = nn.Conv2d(4, 1, 1)\n        self.sigmoid = ").replace(
    "x = self.encoder(x)", "x = self.encoder(x)\n        x = x * self.gate(x)"
)
SCALE = {"id": "scale_linear", "kwargs": {"gain": 2.0, "offset": 1.0}}


def test_weights_give_the_packages_own_test_output(package):
    loaded = start(path := package(cite=[], id="tiny-fish", version="1.2.0"))
    image = np.load(path / "test_input.npy")[0]
    seen = torch.from_numpy(build_normalize(loaded.normalize)(image))[None]
    np.testing.assert_allclose(
        loaded.network(seen).sigmoid().detach(), np.load(path / "test_output.npy"), atol=1e-5
    )


def test_origin_says_what_and_which_and_under_what_terms(package):
    import hashlib

    path = package(id="tiny-fish", version="1.2.0")
    origin = start(path).origin
    assert (origin.repository, origin.id, origin.bioimageio_id) == ("bioimageio", "tiny-fish", "tiny-fish")
    assert origin.revision == "1.2.0"
    assert origin.sha256 == hashlib.sha256((path / "weights.pt").read_bytes()).hexdigest()
    assert origin.license == "MIT"
    assert origin.citation == ["Tiny et al. https://doi.org/10.1234/tiny"]


def test_sizes_are_what_the_network_takes_not_what_the_description_was_tested_with(package):
    assert start(package(size=64)).divisor == 2
    assert start(package(size={"min": 32, "step": 16})).divisor == 16
    assert "takes 64 × 64 pixels and no other size" in refused(package(side=64))


def test_a_network_that_ends_in_a_sigmoid_is_made_to_give_logits(package):
    plain, inside = start(package()), start(package(sigmoid=True, postprocessing=()))
    image = torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(
        inside.network.eval()(image), plain.network.eval()(image), atol=1e-3, rtol=1e-3
    )


def test_random_weights_keep_the_network_alone(package):
    path = package()
    first, again, other = (start(path, pretrained=False, seed=seed) for seed in (1, 1, 2))
    assert (first.origin.weights, first.origin.sha256) == ("random", None)
    weights = [dict(loaded.network.named_parameters())["head.weight"] for loaded in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("traced", [False, True])
def test_torchscript_learns(package, traced):
    network = start(package(traced=traced)).network.train()
    images = torch.randn(4, 1, 32, 32)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(images), (images > 0).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    moves = dict(network.named_buffers())["encoder.1.running_mean"].abs().sum() > 0
    assert bool(moves) != traced  # as the module's docstring says


def test_code_of_a_package_runs_only_when_trusted(package, tmp_path):
    ran = tmp_path / "ran"
    path = package(formats=("pytorch_state_dict",))
    replace(path, "tiny.py", NETWORK.encode() + f"\nopen({str(ran)!r}, 'w').close()\n".encode())
    message = refused(path)
    assert "model.trust=true" in message
    assert "it has no TorchScript" in message
    assert not ran.exists()
    loaded = start(path, trust=True)
    assert ran.exists()
    script = start(package())
    for (name, mine), (their_name, theirs) in zip(
        loaded.network.state_dict().items(), script.network.state_dict().items(), strict=True
    ):
        assert name == their_name
        assert torch.equal(mine, theirs)


def test_torchscript_is_named_as_the_way_without_trust(package):
    path = package(formats=("pytorch_state_dict", "torchscript"))
    assert isinstance(start(path).network, torch.jit.ScriptModule)
    message = refused(path, options={"weights": "pytorch_state_dict"})
    assert "its TorchScript needs no code" in message
    assert "weights must be torchscript or pytorch_state_dict, got 'onnx'" in refused(
        path, options={"weights": "onnx"}
    )
    assert "unknown option" in refused(path, options={"width": 3})


def test_pickled_code_is_not_run(package, tmp_path):
    path = package(formats=("pytorch_state_dict",))
    buffer = io.BytesIO()
    torch.save({"weight": Path("code")}, buffer)
    assert "state.pth: holds pickled code (pathlib" in refused(
        replace(path, "state.pth", buffer.getvalue()), trust=True
    )
    replace(path, "state.pth", b"nothing")
    assert "state.pth: not a PyTorch state dict, or truncated" in refused(path, trust=True)


def test_weights_of_another_network(package):
    path = package(formats=("pytorch_state_dict",))
    buffer = io.BytesIO()
    torch.save({"head.weight": torch.zeros(2, 8, 1, 1), "extra": torch.zeros(1)}, buffer)
    message = refused(replace(path, "state.pth", buffer.getvalue()), trust=True)
    assert "8 missing" in message
    assert "1 unexpected (extra)" in message


def test_frozen_torchscript_has_nothing_to_learn_with(package):
    path, buffer = package(), io.BytesIO()
    network = torch.jit.load(path / "weights.pt").eval()
    torch.jit.save(torch.jit.freeze(network), buffer)
    assert "a frozen network" in refused(replace(path, "weights.pt", buffer.getvalue()))


def test_channels_and_maps_are_named_on_both_sides(package):
    assert "expects 1 channels, but the images have 3" in refused(package(), in_channels=3)
    assert "the target has 2 maps instead of 1, and the last layer cannot be replaced" in refused(
        package(code=SOFTMAX, postprocessing=()), out_channels=2
    )
    assert start(package(channels=3, maps=2), in_channels=3, out_channels=2).divisor == 2


@pytest.mark.parametrize("maps", [1, 3])
@pytest.mark.parametrize("options", [{}, {"traced": True}, {"sigmoid": True, "postprocessing": ()}])
def test_another_number_of_maps_needs_a_new_last_layer_only(package, options, maps):
    path = package(maps=2, **options)
    kept, changed = start(path, out_channels=2), start(path, out_channels=maps)
    image = torch.rand(1, 1, 32, 32)
    assert changed.network.eval()(image).shape == (1, maps, 32, 32)
    total = 4 * 9 + 4 + 8 + 9 * maps
    assert changed.origin.part == f"all but the last layer (48 of {total} parameters)"
    assert kept.origin.part is None
    weights, before = dict(changed.network.named_parameters()), dict(kept.network.named_parameters())
    same = [name for name, weight in weights.items() if torch.equal(weight, before[name])]
    assert [name for name in weights if name not in same] == [
        name for name in weights if "head" in name.split(".")
    ]
    again, other = start(path, out_channels=maps), start(path, out_channels=maps, seed=1)
    assert torch.equal(again.network.eval()(image), changed.network(image))
    assert not torch.equal(other.network.eval()(image), changed.network(image))


def test_the_last_layer_is_found_wherever_it_is_defined(package):
    weights = dict(start(package(code=GATED), out_channels=3).network.named_parameters())
    assert (len(weights["head.weight"]), len(weights["gate.weight"])) == (3, 1)


def test_its_own_test_output_must_come_out(package):
    message = refused(package(preprocessing=(SCALE,)))
    assert "its test output is not reproduced" in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"preprocessing": ({"id": "sigmoid"},)}, "its preprocessing is sigmoid; finetune supports"),
        ({"preprocessing": (SCALE, SCALE)}, "its preprocessing is scale_linear, scale_linear"),
        ({"postprocessing": ({"id": "softmax"},)}, "its postprocessing is softmax"),
        (
            {
                "channels": 2,
                "preprocessing": (
                    {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}},
                ),
            },
            "over all channels together",
        ),
    ],
)
def test_operations_that_cannot_be_expressed(package, options, expected):
    path = package(**options)
    assert expected in refused(path, in_channels=options.get("channels", 1))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (None, {"name": "scale_linear", "gain": 1.0, "offset": 0.0}),
        (SCALE, {"name": "scale_linear", "gain": 2.0, "offset": 1.0}),
        (
            {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 4.0, "std": 2.0}},
            {"name": "scale_linear", "gain": 0.5, "offset": -2.0},
        ),
        (
            {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 2, "eps": 1e-3}},
            {"name": "percentile", "low": 2.0, "high": 100.0, "eps": 1e-3},
        ),
    ],
)
def test_preprocessing_becomes_a_normalization_that_gives_the_same(package, operation, expected):
    """The same numbers as bioimageio.core, on the package's own test image."""
    from bioimageio.core.digest_spec import create_sample_for_model
    from bioimageio.core.proc_setup import setup_pre_and_postprocessing
    from bioimageio.spec import load_model_description

    # A binarized output is none that the test could be held against: it is made for standardized pixels.
    path = package(
        preprocessing=(operation,) if operation else (),
        postprocessing=({"id": "binarize", "kwargs": {"threshold": 0.5}},),
    )
    loaded = start(path)
    assert loaded.normalize == expected
    image = np.load(path / "test_input.npy")
    description = load_model_description(path / "rdf.yaml")
    sample = create_sample_for_model(description, inputs=image)
    for step in setup_pre_and_postprocessing(description, []).pre:
        step(sample)
    normalize = build_normalize(loaded.normalize)
    np.testing.assert_allclose(normalize(image[0]), sample.members["input"].data.to_numpy()[0], 1e-5, 1e-5)
    assert build_normalize({"name": normalize.name, **normalize.options()}) == normalize
