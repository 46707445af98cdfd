"""torchvision models: weights of torchvision and of finetune, downloads, and files that torchvision loads."""

from __future__ import annotations

import functools
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_model, get_model_weights

from cards.errors import InputError
from finetune.adapters import apply
from finetune.repositories.registry import Loaded, LoadOptions, load, save
from finetune.repositories.torchvision import MODELS
from finetune.weights.onnx import write_onnx
from finetune.weights.torchscript import write_torchscript

SMALL = "lraspp_mobilenet_v3_large"
ENCODER = "shufflenet_v2_x1_0"


def start(name: str = SMALL, checkpoint: Path | None = None, **changes: Any) -> Loaded:
    arguments: dict[str, Any] = {"in_channels": 1, "out_channels": 2, "checkpoint": checkpoint}
    return load("torchvision", name, LoadOptions(**arguments | {"pretrained": False} | changes))


def theirs(name: str, classes: int) -> torch.nn.Module:
    torch.manual_seed(9)
    return get_model(name, weights=None, weights_backbone=None, num_classes=classes).eval()


def test_a_short_training_is_enough_for_statistics_to_arrive() -> None:
    """What normalizes in training and what does afterwards must agree, or the network finds nothing."""
    network, images = start().network, torch.rand(4, 1, 64, 64)
    with torch.no_grad():
        for _ in range(100):
            trained = network.train()(images)
        found = network.eval()(images)
    assert torch.corrcoef(torch.stack([found.flatten(), trained.flatten()]))[0, 1] > 0.9


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network but this machine, and nothing in any cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """The small model's weights of 21 classes, on a server of ours, under a name with their hash."""
    folder = tmp_path / "served"
    folder.mkdir()
    torch.save(theirs(SMALL, 21).state_dict(), folder / "weights")
    sha256 = hashlib.sha256((folder / "weights").read_bytes()).hexdigest()
    path = (folder / "weights").rename(folder / f"lraspp-{sha256[:8]}.pth")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    weights = get_model_weights(SMALL).DEFAULT.value
    before = weights.url
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        object.__setattr__(weights, "url", f"http://127.0.0.1:{server.server_port}/{path.name}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path
        server.shutdown()
        object.__setattr__(weights, "url", before)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_said_of_a_model_is_what_torchvision_says(name: str) -> None:
    assert MODELS[name].info.parameters == get_model_weights(name).DEFAULT.meta["num_params"]
    assert MODELS[name].info.license is None


@pytest.mark.parametrize("name", [SMALL, "deeplabv3_mobilenet_v3_large", "fcn_resnet50"])
def test_a_file_of_torchvision_s_gives_its_maps_and_goes_back_into_it(name: str, tmp_path: Path) -> None:
    model = theirs(name, 2)
    torch.save(model.state_dict(), tmp_path / "theirs.pth")
    loaded = start(name, tmp_path / "theirs.pth")
    network, image = loaded.network.eval(), torch.rand(1, 1, 64, 96)
    expected = model(network.encoder.rgb(image))["out"]
    torch.testing.assert_close(network(image), expected)
    assert loaded.origin.part is None
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.01)
    (written,) = save(network, loaded.architecture, tmp_path / "native")
    again = theirs(name, 2)
    again.load_state_dict(torch.load(written, weights_only=True), strict=True)
    torch.testing.assert_close(again(network.encoder.rgb(image))["out"], network(image))


def test_downloads_once_and_starts_a_new_last_layer(served: Path) -> None:
    loaded, other = start(pretrained=True, out_channels=21), start(pretrained=True, out_channels=2, seed=1)
    content = torch.load(served)
    for network in (loaded.network, other.network):
        state = network.state_dict()
        assert torch.equal(state["encoder.backbone.0.0.weight"], content["backbone.0.0.weight"])
        assert torch.equal(state["decoder.classifier.cbr.0.weight"], content["classifier.cbr.0.weight"])
        key = "classifier.low_classifier.weight"
        assert not torch.equal(state[f"decoder.{key}"], content[key][: len(state[f"decoder.{key}"])])
    origin = other.origin
    assert origin.sha256 == hashlib.sha256(served.read_bytes()).hexdigest()
    assert (origin.weights, origin.license) == ("pretrained", None)
    assert origin.terms and "COCO" in origin.terms
    assert origin.part and origin.part.startswith("all but the last layer (3,2")
    served.unlink()
    assert start(pretrained=True).origin == origin  # from torch's cache


def test_what_came_damaged_is_not_kept(served: Path, tmp_path: Path) -> None:
    served.write_bytes(served.read_bytes()[:-1000])
    with pytest.raises(InputError, match=f"{SMALL}: its weights cannot be downloaded .*SHA-256 is"):
        start(pretrained=True)
    assert not list((tmp_path / "torch").rglob("*.pth"))


def test_a_damaged_file_in_the_cache_is_named(served: Path, tmp_path: Path) -> None:
    start(pretrained=True)
    (kept,) = (tmp_path / "torch").rglob("*.pth")
    kept.write_bytes(kept.read_bytes()[:-1000])
    with pytest.raises(InputError) as error:
        start(pretrained=True)
    assert str(error.value) == f"{kept}: not the weights of {SMALL}, or truncated; delete the file"


def test_without_a_network_there_is_a_way_on() -> None:
    with pytest.raises(InputError, match=r"model\.checkpoint=PATH.* model\.pretrained=false") as error:
        start("fcn_resnet50", pretrained=True)
    assert "\n" not in str(error.value)


def test_a_run_of_ours_comes_back(tmp_path: Path) -> None:
    loaded = start(seed=4)
    save_file(loaded.network.state_dict(), tmp_path / "model.safetensors")
    again = start(checkpoint=tmp_path / "model.safetensors")
    assert again.origin.part is None
    expected, got = loaded.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_traces_for_any_size(tmp_path: Path) -> None:
    loaded = start(SMALL)
    write_torchscript(loaded.network.eval(), tmp_path / "weights.pt", channels=1, divisor=loaded.divisor)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.info.fine_tunable])
def test_exports_for_any_size(name: str, tmp_path: Path) -> None:
    loaded = start(name)
    network = loaded.network.eval()
    write_torchscript(network, tmp_path / "weights.pt", channels=1, divisor=loaded.divisor)
    write_onnx(network, tmp_path / "weights.onnx", channels=1, divisor=loaded.divisor)


@pytest.mark.parametrize("name", [ENCODER, "densenet121", "mnasnet1_0"])
def test_a_classification_network_becomes_an_encoder_with_its_own_weights(name: str, tmp_path: Path) -> None:
    model = get_model(name, weights=None).eval()
    state = {key: value for key, value in model.state_dict().items() if "num_batches" not in key}
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): state[key] for key in state}
    torch.save(old, tmp_path / "theirs.pth")  # as old files name them, without counters
    loaded = start(name, tmp_path / "theirs.pth", out_channels=3)
    backbone = loaded.network.encoder.backbone.state_dict()
    assert backbone and all(torch.equal(model.state_dict()[key], backbone[key]) for key in backbone)
    assert loaded.origin.part and loaded.origin.part.startswith("encoder (")
    assert loaded.network.eval()(torch.rand(1, 1, 64, 96)).shape == (1, 3, 64, 96)
    assert not save(loaded.network, loaded.architecture, tmp_path / "native")


def test_the_features_of_an_encoder_are_those_of_torchvision(tmp_path: Path) -> None:
    network = start("resnet50").network.eval()
    images = torch.rand(1, 1, 64, 64)
    layers = network.encoder.backbone
    x = layers.maxpool(layers.relu(layers.bn1(layers.conv1(network.encoder.rgb(images)))))
    for feature, name in zip(network.encoder(images), ("layer1", "layer2", "layer3", "layer4"), strict=True):
        x = layers.get_submodule(name)(x)
        torch.testing.assert_close(feature, x)


def test_a_run_of_an_encoder_comes_back_with_its_decoder(tmp_path: Path) -> None:
    loaded = start(ENCODER, options={"width": 16}, seed=4)
    save_file(loaded.network.state_dict(), tmp_path / "model.safetensors")
    again = start(ENCODER, tmp_path / "model.safetensors", options={"width": 16})
    expected, got = loaded.network.state_dict(), again.network.state_dict()
    assert again.origin.part is None and all(torch.equal(expected[key], got[key]) for key in expected)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(get_model("resnet18", weights=None).state_dict(), tmp_path / "theirs.pth")
    with pytest.raises(InputError, match="the weights do not fit this network"):
        start("resnet50", tmp_path / "theirs.pth")


def test_a_network_that_is_no_encoder_says_why() -> None:
    with pytest.raises(InputError, match="model vit_b_16: not for segmentation, and no encoder: it accepts"):
        start("vit_b_16")


def test_the_head_alone_can_be_trained() -> None:
    loaded = start()
    network = apply(loaded.network, "head", encoder=loaded.encoder)
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert trained and all(name.startswith("decoder.") for name in trained)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "deeplabv3_resnet5"}, "did you mean deeplabv3_resnet50 or deeplabv3_resnet101?"),
        ({"options": {"width": 3}}, "unknown option of model lraspp_mobilenet_v3_large 'width'; known: none"),
        ({"in_channels": 4}, "accepts at most 3 channels, but the images have 4"),
        ({"pretrained": True, "revision": "v1"}, "model.revision: the weights of"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        start(**changes)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_one_image_is_too_few_for_deeplab_to_train_on() -> None:
    network = start("deeplabv3_mobilenet_v3_large").network.train()
    network(torch.rand(2, 1, 32, 32))
    with pytest.raises(InputError, match=r"training\.batch_size"):
        network(torch.rand(1, 1, 32, 32))
