"""Automatic SAM 2: weights of sam2 and of finetune, the Hub, and checkpoints that sam2 loads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_server import Hub
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sam2.build_sam import build_sam2

from cards.base import NetworkSpec
from cards.errors import InputError
from finetune import adapters as adapt
from finetune.networks.rgb_input import Rgb
from finetune.repositories.registry import Loaded, LoadOptions, build, describe, load, save

TINY, SMALL = "sam2.1-hiera-tiny", "sam2.1-hiera-small"
CONFIG = "configs/sam2.1/sam2.1_hiera_t.yaml"
PARTLY = "encoder (27,219,136 of 27,382,576 parameters)"


def load_tiny(checkpoint: Path | None = None, **changes: Any) -> Loaded:
    arguments: dict[str, Any] = {"in_channels": 1, "out_channels": 3, "options": {}, "checkpoint": checkpoint}
    return load("sam2", TINY, LoadOptions(**arguments | {"pretrained": False} | changes))


@pytest.fixture(scope="module")
def weights(published: Path) -> dict[str, torch.Tensor]:
    return torch.load(published)["model"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A model as a run exports it, with weights of another seed than the default."""
    tuned = load_tiny(seed=7, options={"width": 16})
    save_file(tuned.network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": tuned.architecture.model_dump()}))
    return tmp_path


def same(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    """Whether a network has the weights of a SAM2: those that it runs, and those that it keeps."""
    state = network.state_dict()
    names = {
        key: f"encoder.{key[len('image_encoder.') :]}" if key.startswith("image_encoder.") else f"kept.{key}"
        for key in weights
    }
    return all(torch.equal(state[names[key]], tensor) for key, tensor in weights.items())


def test_a_file_of_sam2_s(published: Path, weights: dict[str, torch.Tensor]) -> None:
    loaded = load_tiny(published, seed=3)
    assert same(loaded.network, weights)
    random = load_tiny(seed=3).network.decoder.state_dict()
    assert all(torch.equal(loaded.network.decoder.state_dict()[key], random[key]) for key in random)
    origin = loaded.origin
    assert (origin.id, origin.weights, origin.license) == (TINY, "pretrained", "Apache-2.0")
    assert (origin.part, origin.revision, origin.hub_id) == (PARTLY, None, None)
    assert origin.sha256 == hashlib.sha256(published.read_bytes()).hexdigest()
    assert len(origin.citation) == 1 and "2408.00714" in origin.citation[0]
    assert loaded.normalize == {"name": "percentile", "low": 1.0, "high": 99.8}
    assert loaded.architecture == NetworkSpec(repository="sam2", name=TINY, options={"width": 64})
    assert (loaded.divisor, loaded.encoder) == (32, ("encoder",))


@pytest.mark.slow
def test_from_the_hub_the_commit_is_recorded(
    published: Path, weights: dict[str, torch.Tensor], hub: Hub
) -> None:
    name = published.name
    first = hub.add(f"facebook/{TINY}", {name: published.read_bytes()}, lfs={name})
    hub.add(f"facebook/{TINY}", {name: b"newer"}, lfs={name})
    loaded = load_tiny(pretrained=True, revision=first)
    assert same(loaded.network, weights)
    origin = loaded.origin
    assert (origin.hub_id, origin.revision, origin.part) == (f"facebook/{TINY}", first, PARTLY)
    assert origin.sha256 == hashlib.sha256(published.read_bytes()).hexdigest()


def test_without_a_hub_the_way_out_is_said(hub: Hub) -> None:
    hub.status = 500
    with pytest.raises(InputError) as error:
        load_tiny(pretrained=True)
    message = str(error.value)
    assert f"facebook/{TINY}" in message
    assert message.endswith(
        "set model.checkpoint=PATH to a weights file, or model.pretrained=false for random weights"
    )
    assert "\n" not in message


def test_random_weights_follow_the_seed_and_nothing_else() -> None:
    state = torch.random.get_rng_state()
    first = load_tiny(seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(5)
    one, two = first.network.state_dict(), load_tiny(seed=3).network.state_dict()
    other = load_tiny(seed=4).network.state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
    for part in ("encoder", "decoder", "kept"):
        assert any(not torch.equal(one[key], other[key]) for key in one if key.startswith(part))
    assert (first.origin.weights, first.origin.license, first.origin.part) == ("random", None, None)


def test_our_own_export_comes_back(run: Path) -> None:
    tuned = load_tiny(seed=7, options={"width": 16})
    loaded = load_tiny(run)
    state = tuned.network.state_dict()
    assert all(torch.equal(state[key], tensor) for key, tensor in loaded.network.state_dict().items())
    assert loaded.architecture == tuned.architecture
    assert (loaded.origin.part, loaded.origin.license) == (None, None)  # nobody said
    with pytest.raises(InputError, match="the checkpoint has width 16, the recipe 32"):
        load_tiny(run, options={"width": 32})


def test_for_another_target_only_the_last_layer_is_new(run: Path) -> None:
    tuned = load_tiny(seed=7, options={"width": 16}).network.state_dict()
    loaded = load_tiny(run, out_channels=1)
    state = loaded.network.state_dict()
    new = {key for key in tuned if not torch.equal(tuned[key], state[key])}
    assert new == {"decoder.output.weight", "decoder.output.bias"}
    assert loaded.origin.part == "all but the last layer (27,238,480 of 27,238,752 parameters)"
    assert loaded.network.eval()(torch.rand(1, 1, 64, 64)).shape == (1, 1, 64, 64)


def test_a_file_of_another_size_is_told_by_its_keys(published: Path) -> None:
    with pytest.raises(InputError) as error:
        load("sam2", SMALL, LoadOptions(in_channels=1, out_channels=3, checkpoint=published))
    message = str(error.value)
    assert message.startswith(f"{published}: the weights do not fit this network: 50 missing (image_encoder.")
    assert message.endswith(f"(of 519 keys); the size of its image encoder matches {TINY}")
    assert "\n" not in message


def test_keys_that_do_not_fit_are_counted_and_named(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    less = {key: tensor for key, tensor in weights.items() if key != "no_obj_embed_spatial"}  # as of SAM 2.0
    torch.save({"model": less | {"more": torch.ones(1)}}, tmp_path / "other.pt")
    with pytest.raises(InputError) as error:
        load_tiny(tmp_path / "other.pt")
    message = str(error.value)
    assert message.endswith(
        "1 missing (no_obj_embed_spatial); 1 unexpected (more) (of 471 keys); the size of its image encoder "
        "matches sam2-hiera-tiny"
    )


def test_a_file_cut_short_is_said_to_be_one(published: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.pt").write_bytes(published.read_bytes()[:1_000_000])
    with pytest.raises(InputError, match=r"cut\.pt: not a PyTorch state dict, or truncated"):
        load_tiny(tmp_path / "cut.pt")


@pytest.mark.parametrize(
    ("name", "channels", "options", "message"),
    [
        (
            TINY,
            4,
            {},
            f"model {TINY} accepts at most 3 channels, but the images have 4; select them with data.",
        ),
        (
            "sam2-tiny",
            1,
            {},
            f"unknown sam2 model 'sam2-tiny'; did you mean sam2-hiera-tiny or {TINY}",
        ),
        (TINY, 1, {"widht": 8}, f"unknown option of model {TINY} 'widht'; did you mean width?"),
        (TINY, 1, {"width": 20}, "width must be an integer from 8 to 512 and a multiple of 8, got 20"),
        (TINY, 1, {"width": True}, "width must be an integer from 8 to 512 and a multiple of 8, got True"),
    ],
)
def test_names_and_values_that_do_not_exist(
    name: str, channels: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        build("sam2", name, in_channels=channels, out_channels=3, options=options)
    assert message in str(error.value)


@pytest.mark.slow
def test_sizes_on_the_list_are_true() -> None:
    for name in (TINY, SMALL, "sam2.1-hiera-base-plus", "sam2.1-hiera-large"):
        with torch.device("meta"):
            network = build("sam2", name, in_channels=1, out_channels=3).network
        count = sum(parameter.numel() for parameter in network.encoder.parameters())
        assert count == describe("sam2", name).parameters


def step(network: torch.nn.Module) -> None:
    """A step of training, large enough to be seen."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    network.train()(torch.rand(1, 1, 64, 64)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("how", "options"),
    [pytest.param("full", {}, marks=pytest.mark.slow), ("head", {}), ("lora", {"rank": 2})],
)
def test_sam2_itself_loads_what_was_tuned(
    how: str, options: dict[str, Any], published: Path, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    loaded = load_tiny(published)
    network = adapt.apply(loaded.network, how, options, loaded.encoder)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    step(network)
    network = adapt.merge(network)
    assert network.state_dict().keys() == load_tiny().network.state_dict().keys()

    checkpoint, decoder = save(network, loaded.architecture, tmp_path / "native")
    theirs = build_sam2(CONFIG, str(checkpoint), device="cpu")  # refuses any key too few or too many
    state = theirs.state_dict()
    changed = {key for key, tensor in weights.items() if not torch.equal(state[key], tensor)}
    if how == "head":
        assert not changed
    else:
        assert changed
        assert all(key.startswith("image_encoder.") for key in changed)
    images = torch.rand(1, 1, 96, 64)
    with torch.no_grad():
        expected = theirs.image_encoder(Rgb()(images))["backbone_fpn"]
        for level, other in zip(network.eval().encoder(images), expected, strict=True):
            torch.testing.assert_close(level, other, rtol=1e-4, atol=1e-4)

    tensors = load_file(decoder)
    assert tensors.keys() == network.decoder.state_dict().keys()
    assert any(not torch.equal(tensors[key], before[f"decoder.{key}"]) for key in tensors)
    with safe_open(decoder, "pt") as opened:
        assert json.loads(opened.metadata()["architecture"]) == loaded.architecture.model_dump()


def test_a_low_rank_change_leaves_the_decoder_free() -> None:
    loaded = load_tiny()
    network = adapt.apply(loaded.network, "lora", {"rank": 2, "layers": ["qkv"]}, loaded.encoder)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    decoder = {f"decoder.{name}" for name, _ in network.decoder.named_parameters()}
    assert decoder < trained
    assert all("lora_" in name and ".qkv." in name for name in trained - decoder)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["random", "file"])
def test_a_run(start: str, published: Path, recipe_file: Path, tmp_path: Path) -> None:
    """What a person gets: every export loads and scores the same, and sam2 loads its own form."""
    import finetune
    from finetune.recipe.reader import read_recipe

    changes = ["model.repository=sam2", f"model.name={TINY}", "model.options={width: 16}"]
    changes += ["training.patch=64", "training.epochs=4"]
    changes += ["model.pretrained=false"] if start == "random" else [f"model.checkpoint={published}"]
    record = finetune.run(read_recipe(recipe_file, changes), out=tmp_path / "run")
    assert record is not None and record.accuracy is not None and record.accuracy.before is None
    kinds = {check.format for check in record.exports}
    assert kinds == {"safetensors", "torchscript", "onnx", "pytorch"}
    assert all(check.equal for check in record.exports)
    assert record.model.parameters == record.model.trainable
    checkpoint = tmp_path / "run/native" / f"{TINY}_finetuned.pt"
    tuned = build_sam2(CONFIG, str(checkpoint), device="cpu").image_encoder.state_dict()
    network = finetune.load(tmp_path / "run").network
    assert all(torch.equal(tuned[key], tensor) for key, tensor in network.encoder.state_dict().items())
    card = (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert ("encoder (27,219,136 of" in card) == (start == "file")
