"""Models of transformers: from a folder, a run or at random; and folders that transformers itself loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_transformers import DPT, MODELS, SAM, SEGFORMER, expected, got, same, start, theirs

from cards.errors import InputError
from finetune.adapters import apply, count
from finetune.networks.encoder_decoder import EncoderDecoder
from finetune.repositories.registry import build, describe, save
from finetune.weights.onnx import write_onnx
from finetune.weights.torchscript import write_torchscript


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model of three labels, as transformers saves it."""
    theirs(request.param, num_labels=3).save_pretrained(tmp_path / "theirs")
    return tmp_path / "theirs"


@pytest.mark.parametrize("folder", MODELS, indirect=True)
def test_a_folder_of_theirs_gives_what_it_gave_and_goes_back(folder: Path, tmp_path: Path) -> None:
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    known = getattr(transformers, MODELS[kind])
    before = known.from_pretrained(folder).eval()
    plain = {"mean": [0, 0, 0], "std": [1, 1, 1]}
    loaded = start(kind, folder, in_channels=3, options=plain)
    network, image = loaded.network.eval(), torch.rand(1, 3, 256, 256)
    for ours, reference in zip(got(kind, network, image), expected(kind, before, image), strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.01)
    written = save(network, loaded.architecture, tmp_path / "native")
    after = known.from_pretrained(tmp_path / "native").eval()
    for ours, reference in zip(got(kind, network, image), expected(kind, after, image), strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-4)
    names = {path.name for path in written}
    if kind in ("sam", "sam2"):
        old, new = before.state_dict(), after.state_dict()
        untouched = [key for key in old if "vision_encoder" not in key]
        assert untouched and all(torch.equal(old[key], new[key]) for key in untouched)
        own = load_file(tmp_path / "native" / "decoder.safetensors")
        assert same(own, network.state_dict()) and all(key.startswith("decoder.") for key in own)
        assert loaded.origin.part and loaded.origin.part.startswith("all but decoder (")
    else:
        assert names == {"config.json", "model.safetensors"}
        assert loaded.origin.part is None
    assert str(tmp_path) not in (tmp_path / "native" / "config.json").read_text()


@pytest.mark.parametrize("kind", ["sam", "sam2", "segformer"])
def test_small_images_go_in_at_their_own_size(kind: str) -> None:
    loaded = start(kind)
    network, side = loaded.network.eval(), loaded.divisor
    assert network(torch.rand(1, 1, side, 2 * side)).shape == (1, 3, side, 2 * side)


@pytest.mark.parametrize("kind", MODELS)
def test_a_run_of_ours_comes_back(kind: str, tmp_path: Path) -> None:
    loaded = start(kind, seed=4)
    save_file(loaded.network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": loaded.architecture.model_dump()}))
    again = start(kind, tmp_path, seed=5)
    assert again.architecture == loaded.architecture
    assert same(loaded.network.state_dict(), again.network.state_dict())
    assert again.origin.part is None
    (tmp_path / "huggingface").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).rename(tmp_path / "huggingface" / name)
    assert same(loaded.network.state_dict(), start(kind, tmp_path).network.state_dict())


@pytest.mark.parametrize("kind", MODELS)
def test_random_weights_follow_the_seed_and_nothing_else(kind: str) -> None:
    state = torch.random.get_rng_state()
    first = start(kind, seed=3).network.state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert same(first, start(kind, seed=3).network.state_dict())
    assert not same(first, start(kind, seed=4).network.state_dict())


@pytest.mark.parametrize("folder", ["segformer", "upernet"], indirect=True)
def test_another_number_of_maps_gets_a_new_last_layer(folder: Path) -> None:
    content = load_file(folder / "model.safetensors")
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    loaded = start(kind, folder, out_channels=5)
    network = loaded.network.eval()
    assert network(torch.rand(1, 1, 64, 64)).shape == (1, 5, 64, 64)
    last = "decoder.head.classifier" if kind == "segformer" else "model.decode_head.classifier"
    assert loaded.origin.part is not None and loaded.origin.part.startswith(f"all but {last}")
    assert len(content) == len(network.state_dict())


def test_the_encoder_of_a_classifier_of_images_will_do(tmp_path: Path) -> None:
    config = transformers.SegformerConfig.from_dict(SEGFORMER)
    model = transformers.SegformerForImageClassification(config)
    model.save_pretrained(tmp_path)
    loaded = start("segformer", tmp_path)
    assert loaded.origin.part is not None and loaded.origin.part.startswith("all but decoder.head (")
    assert same(model.segformer.state_dict(), loaded.network.encoder.model.state_dict())


def test_a_model_for_video_is_read_as_one_for_images(tmp_path: Path) -> None:
    theirs("sam2").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "sam2_video", "architectures": ["Sam2VideoModel"], "num_maskmem": 7}
    (tmp_path / "config.json").write_text(json.dumps(config))
    state = load_file(tmp_path / "model.safetensors") | {"memory_attention.weight": torch.zeros(2)}
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded = start("sam2", tmp_path)
    assert loaded.architecture.options["config"]["model_type"] == "sam2"
    weight = loaded.network.state_dict()["encoder.model.neck.convs.0.weight"]
    assert torch.equal(weight, state["vision_encoder.neck.convs.0.weight"])


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_what_answers_prompts_is_neither_trained_nor_counted(kind: str) -> None:
    loaded = start(kind)
    network = loaded.network
    kept = [name for name in network.state_dict() if name.startswith("kept.")]
    assert kept and not any(name in kept for name, _ in network.named_parameters())
    total = count(network).total
    apply(network, "lora")
    assert not any("kept" in name and "lora" in name for name, _ in network.named_parameters())
    assert count(network).total == total


@pytest.mark.parametrize("kind", MODELS)
def test_the_head_alone_can_be_trained(kind: str) -> None:
    loaded = start(kind)
    network = apply(loaded.network, "head", encoder=loaded.encoder)
    some = count(network)
    assert 0 < some.trainable < some.total
    network(torch.rand(2, 1, 64, 64)).sum().backward()
    wanting = [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]
    assert not wanting


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {}}, "random weights require a configuration, and none is built in"),
        ({"options": {"width": 3}}, "unknown option of model somebody/model 'width'; known: config, mean"),
        (
            {"options": {"config": SAM, "mean": [1, 2]}},
            "model somebody/model: mean: ",
        ),
        ({"options": {"config": SAM, "std": [1, 0, 1]}}, "model somebody/model: std: "),
        ({"options": {"config": DPT}}, "cannot be exported for images of any multiple of 32 pixels"),
        ({"in_channels": 4}, "accepts at most 3 channels, but the images have 4"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        start("sam", **changes)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_names_without_a_listing_are_models_too() -> None:
    assert describe("huggingface", "somebody/model").name == "somebody/model"
    assert describe("huggingface", "facebook/sam-vit-base").license == "Apache-2.0"


@pytest.mark.parametrize(
    "name",
    [
        "nvidia/mit-b0",
        *(f"facebook/sam-vit-{size}" for size in ("base", "large", "huge")),
        "facebook/sam2.1-hiera-tiny",
    ],
)
def test_parameters_are_those_of_transformers(name: str) -> None:
    with torch.device("meta"):
        architecture = build("huggingface", name, in_channels=1, out_channels=150).architecture
        config = architecture.options["config"]
        known = transformers.CONFIG_MAPPING[config["model_type"]].from_dict(config)
        model = getattr(transformers, MODELS[config["model_type"]])(known)
    assert sum(each.numel() for each in model.parameters()) == describe("huggingface", name).parameters


def test_one_image_is_too_few_where_a_model_normalizes_over_the_batch() -> None:
    with pytest.raises(InputError, match=r"training\.batch_size"):
        start("upernet").network.train()(torch.rand(1, 1, 64, 64))


@pytest.mark.parametrize("kind", ["segformer", "sam", "sam2"])
def test_traces_for_any_size(kind: str, tmp_path: Path) -> None:
    loaded = start(kind)
    plain = EncoderDecoder(loaded.network.encoder, loaded.network.decoder).eval()
    write_torchscript(plain, tmp_path / "weights.pt", channels=1, divisor=loaded.divisor)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["segformer", "sam", "sam2"])
def test_exports_to_onnx_for_any_size(kind: str, tmp_path: Path) -> None:
    loaded = start(kind)
    plain = EncoderDecoder(loaded.network.encoder, loaded.network.decoder).eval()
    write_onnx(plain, tmp_path / "weights.onnx", channels=1, divisor=loaded.divisor)
