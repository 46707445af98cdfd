"""Hugging Face folders: written, read again, and refused where they are not ours or damaged."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from full_disk import nearly_full_disk
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

import finetune
from cards.errors import InputError
from finetune.data.normalization import Percentile, ZeroMeanUnitVariance
from finetune.downloads.hub import HUB_ID
from finetune.export.huggingface import save_model
from finetune.loading import load_model


@pytest.fixture
def saved(tmp_path, make_model) -> Path:
    """A huggingface folder."""
    folder = tmp_path / "run" / "huggingface"
    save_model(make_model(), folder)
    return folder


def edit(folder: Path, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("target", ["foreground", "boundary", "foreground_boundary"])
@pytest.mark.parametrize("normalize", [Percentile(low=2, high=99), ZeroMeanUnitVariance()])
def test_what_is_loaded_labels_as_what_was_saved(tmp_path, make_model, image, target, normalize):
    model = make_model(target=target, normalize=normalize)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert np.array_equal(loaded.predict(image()), model.predict(image()))
    assert loaded.predict(image()).any()
    assert loaded.config() == model.config()
    assert loaded.divisor == model.divisor
    assert not loaded.network.training


def test_channels_and_their_choice_are_kept(tmp_path, make_model, image):
    model = make_model(channels=2, select=[2, 0])
    save_model(model, tmp_path)
    pixels = image(channels=3)
    assert np.array_equal(load_model(tmp_path).predict(pixels), model.predict(pixels))


def test_run_folder_and_its_huggingface_folder_give_the_same(saved, image):
    assert np.array_equal(
        finetune.load(saved).predict(image()),
        finetune.load(saved.parent).predict(image()),
    )
    assert np.array_equal(finetune.load(str(saved)).predict(image()), load_model(saved).predict(image()))


def test_loading_leaves_the_random_numbers_alone(saved):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_model(saved)
    assert torch.equal(torch.rand(3), expected)


def test_files_are_as_others_expect_them(saved, make_model):
    with safe_open(saved / "model.safetensors", "pt") as weights:
        assert weights.metadata() == {"format": "pt"}
        assert set(weights.keys()) == set(make_model().network.state_dict())
    text = (saved / "config.json").read_text()
    config = json.loads(text)
    assert config["library_name"] == "finetune"
    assert text == json.dumps(config, sort_keys=True, indent=2) + "\n"
    assert str(saved) not in text
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]


def test_weights_laid_out_for_another_device_are_saved(tmp_path, make_model, image):
    model = make_model()
    expected = model.predict(image())
    model.network.to(memory_format=torch.channels_last)
    save_model(model, tmp_path)
    assert np.array_equal(load_model(tmp_path).predict(image()), expected)


def test_keys_that_others_add_do_no_harm(saved, image):
    edit(saved, model_type="unet", downloads=3)
    assert load_model(saved).predict(image()).any()


def test_full_disk_is_told_as_such(tmp_path, make_model):
    model = make_model()
    with nearly_full_disk(), pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as raised:
        save_model(model, tmp_path)
    assert raised.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


def one_line(source: str | Path) -> str:
    with pytest.raises(InputError) as raised:
        load_model(source)
    text = str(raised.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize(
    "source", ["nowhere", "./runs/nowhere", "a/b/c", "/nowhere/at/all", Path("runs/nowhere"), ""]
)
def test_nothing_there(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    text = one_line(source)
    assert str(source) in text
    assert "no such folder" in text or "config.json" in text  # "" is the working folder


def test_a_file_is_not_a_folder(saved):
    assert "give the run folder" in one_line(saved / "model.safetensors")


def test_a_folder_without_config_is_not_ours(tmp_path):
    assert "not a model that finetune wrote: there is no config.json" in one_line(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "config.json: the file: invalid json"),
        ("[]", "config.json: the file"),
        ('{"model_type": "bert"}', "library_name: field required"),
    ],
)
def test_a_config_of_something_else_is_refused(saved, content, message):
    (saved / "config.json").write_text(content)
    assert message in one_line(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"library_name": "transformers"}, "library_name: input should be 'finetune'"),
        (
            {"architecture": {"repository": "wip", "name": "unet", "options": {}}},
            "repository 'wip'; did you mean wipp?",
        ),
        ({"architecture": {"repository": "wipp", "name": "unit", "options": {}}}, "did you mean unet?"),
        ({"architecture": {"repository": "wipp"}}, "architecture.name: field required"),
        ({"target": {"name": "foregrounds"}}, "unknown target 'foregrounds'; did you mean"),
        ({"normalize": {"name": "percentiles"}}, "percentile"),
        ({"normalize": {"name": "percentile", "low": 99, "high": 1}}, "percentile"),
        ({"channels": 0}, "channels"),
        ({"channels": 3}, "channels"),
        ({"select_channels": "rgb"}, "select_channels"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(saved, changes, message):
    edit(saved, **changes)
    text = one_line(saved)
    assert message in text
    assert text.startswith(f"{saved}: ")


def test_missing_weights(saved):
    (saved / "model.safetensors").unlink()
    assert "model.safetensors" in one_line(saved)


@pytest.mark.parametrize("kept", [0, 4, 100, 5000])
def test_weights_cut_short(saved, kept):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    text = one_line(saved)
    assert "model.safetensors" in text
    assert "truncated" in text


def test_weights_of_another_network(saved, tmp_path, make_model):
    save_model(make_model(target="foreground"), tmp_path / "other")
    (saved / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    assert "maps" in one_line(saved)


def test_a_pickle_is_never_opened(saved, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path(tmp_path / "exploded").touch, ())

    torch.save({"weights": Bomb()}, saved / "model.safetensors")
    one_line(saved)
    assert not (tmp_path / "exploded").exists()


@settings(max_examples=50)
@given(st.text(max_size=30))
def test_what_could_leave_the_folder_is_no_hub_id(text):
    found = HUB_ID.fullmatch(text)
    assert found is None or (found["repo"].count("/") == 1 and not text.startswith((".", "/", "-")))


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("user/name", "user/name", None),
        ("user/name@v1.0", "user/name", "v1.0"),
        ("a-b/c_d.e@refs/pr/1", "a-b/c_d.e", "refs/pr/1"),
    ],
)
def test_hub_ids(text, repo, revision):
    found = HUB_ID.fullmatch(text)
    assert found is not None
    assert (found["repo"], found["revision"]) == (repo, revision)
