"""Listing, building and loading networks; errors for checkpoints that do not fit."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cards import record
from cards.base import NetworkSpec
from cards.errors import InputError, ModelError
from finetune.repositories.base import ANY
from finetune.repositories.registry import REPOSITORIES, LoadOptions, build, describe, load, options_model
from finetune.weights.without_initialization import WithoutInitialization

TINY = {"width": 8, "depth": 2}
DEPTH = "model unet: depth must be an integer from 1 to 6, "


def load_tiny(checkpoint: Path | None = None, **changes: Any):
    arguments = {"in_channels": 1, "out_channels": 2, "options": TINY, "checkpoint": checkpoint} | changes
    return load("wipp", "unet", LoadOptions(**arguments))


def write_record(path: Path, license: str | None = "MIT") -> None:
    base = {"repository": "wipp", "id": "unet", "weights": "random", "license": "BSD-3-Clause"}
    content = {
        "name": "my_nuclei",
        "created": "2025-01-01T00:00:00+00:00",
        "finetune_version": "0.1.0",
        "recipe": {},
        "card": {"title": "Nuclei", "description": "Finds them.", "license": license},
        "model": {
            "base": base | {"citation": ["Doe 2020"]},
            "architecture": {"repository": "wipp", "name": "unet"},
            "target": {"name": "boundary", "labels": "boundary"},
            "normalize": {"name": "percentile"},
            **dict.fromkeys(["channels", "maps", "divisor", "parameters", "trainable"], 1),
        },
        "metrics": [],
        "data": {"id": "nuclei", "labels": "instances", "split_by": "folders", "files": []},
        "training": {
            **dict.fromkeys(["epochs_planned", "epochs", "steps", "images_seen", "batch_size", "patch"], 1),
            **dict.fromkeys(["optimizer", "schedule", "loss", "augmentation", "precision"], "as usual"),
            **dict.fromkeys(["learning_rate", "weight_decay", "seed", "seconds"], 1),
        },
        "environment": {
            **dict.fromkeys(["python", "platform", "cpu"], "some"),
            "cores": 1,
            "memory_bytes": None,
            "packages": {},
        },
    }
    path.write_text(record.RunRecord.model_validate(content).dumps())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as a run exports it, with weights of another seed than the default."""
    tuned = load_tiny(seed=7)
    save_file(tuned.network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": tuned.architecture.model_dump(), "channels": 1})
    )
    return tmp_path


@pytest.mark.parametrize("name", REPOSITORIES)
def test_every_repository_says_what_it_offers(name: str) -> None:
    models = REPOSITORIES[name].models()
    assert models
    built_sizes = set()
    for model in models:
        assert describe(name, model.name) == model
        low, high = model.learning_rates
        assert 0 < low < model.learning_rate < high
        assert model.fine_tunable or model.why_not
        if model.name == ANY or name == "bioimageio":  # networks that others bring
            continue
        if not model.fine_tunable:
            with pytest.raises(ModelError, match=model.name):
                build(name, model.name, in_channels=2, out_channels=3)
            continue
        kind = (options_model(name, model.name), model.parameters)
        if model.parameters and kind in built_sizes:  # another set of weights for the same network
            continue
        built_sizes.add(kind)
        # A large network has shapes, but no numbers: they would fill gigabytes.
        device = torch.device("meta" if (model.parameters or 0) > 1e6 else "cpu")
        with WithoutInitialization(), device:
            built = build(name, model.name, in_channels=2, out_channels=3)
            size = 2 * built.divisor
            network = built.network.to(device).eval()  # some begin on the CPU all the same
            assert network(torch.zeros(1, 2, size, size)).shape == (1, 3, size, size)
            json.dumps(built.architecture.model_dump())
            again = build(**built.architecture.model_dump(), in_channels=2, out_channels=3)
        assert again.network.state_dict().keys() == built.network.state_dict().keys()


@pytest.mark.parametrize(("repository", "maps"), [("wipp", 2), ("stardist", 33)])
def test_the_listed_size_of_a_network_is_that_with_default_options(repository: str, maps: int) -> None:
    with torch.device("meta"):
        network = build(repository, "unet", in_channels=1, out_channels=maps, options={}).network
    assert sum(each.numel() for each in network.parameters()) == describe(repository, "unet").parameters


def test_listing_models_does_not_import_torch() -> None:
    imports = "import sys; from finetune.repositories.registry import describe"
    code = f"{imports}; describe('wipp', 'unet'); print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"


def test_random_weights_follow_the_seed_and_nothing_else() -> None:
    state = torch.random.get_rng_state()
    first = load_tiny(seed=3).network.state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(5)
    again, other = load_tiny(seed=3).network.state_dict(), load_tiny(seed=4).network.state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_without_a_checkpoint_the_origin_is_random() -> None:
    loaded = load_tiny()
    assert loaded.origin == record.Origin(repository="wipp", id="unet", weights="random")
    assert loaded.architecture == NetworkSpec(repository="wipp", name="unet", options=TINY)
    assert loaded.divisor == 4


def test_options_that_are_not_given_are_written_down_all_the_same() -> None:
    assert load_tiny(options={"width": 8}).architecture.options.keys() == {"width", "depth"}


@pytest.mark.parametrize("given", ["folder", "file", "run"])
def test_a_checkpoint_comes_back(folder: Path, given: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = {"folder": folder, "file": folder / "model.safetensors"}.get(given)
    if path is None:
        path = tmp_path_factory.mktemp("run")
        (path / "huggingface").symlink_to(folder)
    loaded = load_tiny(path, seed=0)
    images = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(loaded.network(images), load_tiny(seed=7).network(images), rtol=0, atol=0)
    assert loaded.origin.weights == "pretrained"
    assert loaded.origin.sha256 == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_options_come_from_the_checkpoint(folder: Path) -> None:
    assert load_tiny(folder, options={}).architecture.options == TINY
    with pytest.raises(InputError, match="the checkpoint has width 8, the recipe 16"):
        load_tiny(folder, options={"width": 16})


@pytest.mark.parametrize(("license", "inherited"), [("MIT", "MIT"), (None, "BSD-3-Clause")])
def test_license_and_citation_are_the_record_s(folder: Path, license: str | None, inherited: str) -> None:
    write_record(folder / "record.json", license)
    origin = load_tiny(folder).origin
    assert (origin.id, origin.license, origin.citation) == ("my_nuclei", inherited, ["Doe 2020"])


def test_the_record_of_the_run_around_will_do(folder: Path) -> None:
    run = folder / "run"
    (run / "huggingface").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(run / "huggingface" / name)
    write_record(run / "record.json")
    assert load_tiny(run).origin.id == "my_nuclei"
    assert load_tiny(run / "huggingface").origin.id == "my_nuclei"


def test_weights_without_a_record_have_no_license_that_anyone_guessed(folder: Path) -> None:
    assert load_tiny(folder).origin.license is None


def test_other_channels_are_said_in_words(folder: Path) -> None:
    with pytest.raises(InputError, match="expects 1 channels, but the images have 3"):
        load_tiny(folder, in_channels=3)


def test_another_number_of_maps_needs_a_new_last_layer_only(folder: Path) -> None:
    loaded, before = load_tiny(folder, out_channels=3), load_tiny(folder).network.state_dict()
    weights = loaded.network.state_dict()
    assert [name for name in weights if not torch.equal(weights[name], before[name])] == [
        "head.weight",
        "head.bias",
    ]
    total = sum(weight.numel() for weight in weights.values())
    last = weights["head.weight"].numel() + 3
    assert loaded.origin.part == f"all but the last layer ({total - last:,} of {total:,} parameters)"


def test_keys_that_do_not_fit_are_counted_and_named(folder: Path) -> None:
    state = load_tiny().network.state_dict()
    wanted = len(state)
    first, second, *_ = [key for key in state if "decoder" in key]
    del state[first]
    state[second] = torch.zeros(3)
    state |= {f"extra.{i}": torch.zeros(1) for i in range(5)}
    save_file(state, folder / "other.safetensors")
    with pytest.raises(InputError) as error:
        load_tiny(folder / "other.safetensors")
    message = str(error.value)
    assert f"1 missing ({first})" in message
    assert "5 unexpected (extra.0, extra.1, extra.2, …)" in message
    assert f"1 of another shape ({second} (3,) instead of" in message
    assert f"of {wanted} keys" in message
    assert "\n" not in message


def test_a_truncated_file_is_said_to_be_one(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a safetensors file, or truncated"):
        load_tiny(folder)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "exploded",)

    for name in ("model.pth", "model.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(InputError, match=r"only \.safetensors files are|: not a safetensors file"):
            load_tiny(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.safetensors: cannot read the weights: No such file"):
        load_tiny(tmp_path / "no.safetensors")
    with pytest.raises(InputError, match=r"no config\.json"):
        load_tiny(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"model\.safetensors: cannot read"):
        load_tiny(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"architecture": {"name": "x"}}', '{"architecture": "x"}'])
def test_a_config_that_cannot_be_used_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json: "):
        load_tiny(folder)


def test_a_checkpoint_of_another_model_is_refused(folder: Path) -> None:
    architecture = {"repository": "cellpose", "name": "cyto3", "options": {}}
    (folder / "config.json").write_text(json.dumps({"architecture": architecture}))
    with pytest.raises(InputError, match="the checkpoint is of cellpose/cyto3, the recipe selects wipp/unet"):
        load_tiny(folder)


@pytest.mark.parametrize(
    ("repository", "name", "options", "message"),
    [
        ("wip", "unet", {}, "unknown repository 'wip'; did you mean wipp?"),
        ("wipp", "unnet", {}, "unknown wipp model 'unnet'; did you mean unet?"),
        ("wipp", "unet", {"widht": 8}, "unknown option of model unet 'widht'; did you mean width?"),
        ("wipp", "unet", {"color": 8}, "unknown option of model unet 'color'; known: width, depth"),
        ("wipp", "unet", {"depth": 0}, DEPTH + "got 0"),
        ("wipp", "unet", {"depth": True}, DEPTH + "got True"),
        ("wipp", "unet", {"depth": "deep"}, DEPTH + "got 'deep'"),
    ],
)
def test_names_and_values_that_do_not_exist(
    repository: str, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        load(repository, name, LoadOptions(in_channels=1, out_channels=1, options=options))
    assert str(error.value) == message
    with pytest.raises(InputError) as error:
        build(repository, name, in_channels=1, out_channels=1, options=options)
    assert str(error.value) == message
