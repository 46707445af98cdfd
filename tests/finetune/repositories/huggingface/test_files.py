"""Model files of transformers, from the Hub or a folder: what is loaded and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_transformers import SEGFORMER, same, serve, start, theirs

from cards.errors import InputError


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model of three labels, as transformers saves it."""
    theirs(request.param, num_labels=3).save_pretrained(tmp_path / "theirs")
    return tmp_path / "theirs"


CARD = "---\nlicense: {license}\nlicense_name: nvidia\nlicense_link: https://example.org/l\n---\n# Model\n"


@pytest.mark.parametrize("folder", ["segformer"], indirect=True)
def test_from_the_hub_with_its_commit_license_and_images(hub: Any, folder: Path) -> None:
    images = json.dumps({"image_mean": [0.5, 0.5, 0.4], "image_std": [0.5, 0.5, 0.6]}).encode()
    card = CARD.format(license="apache-2.0").encode()
    commit = serve(hub, folder, **{"preprocessor_config.json": images, "README.md": card})
    loaded = start("segformer", options={}, pretrained=True)
    origin = loaded.origin
    assert (origin.revision, origin.hub_id, origin.license) == (commit, "somebody/model", "apache-2.0")
    assert origin.sha256 == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert origin.terms is None and "SegFormer" in origin.citation[0]
    assert loaded.architecture.options["mean"] == [0.5, 0.5, 0.4]
    assert loaded.network.encoder.rgb.std.flatten().tolist() == pytest.approx([0.5, 0.5, 0.6])
    content = load_file(folder / "model.safetensors")
    weight = loaded.network.state_dict()["decoder.head.classifier.weight"]
    assert torch.equal(weight, content["decode_head.classifier.weight"])
    # A branch that moved on: the commit that was asked for is the one that is taken.
    serve(hub, folder, **{"config.json": b"{}"})
    again = start("segformer", options={}, pretrained=True, revision=commit)
    assert again.origin.revision == commit


@pytest.mark.parametrize("folder", ["segformer"], indirect=True)
@pytest.mark.parametrize(
    ("card", "license", "terms"),
    [
        (CARD.format(license="other"), None, "nvidia, https://example.org/l"),
        (CARD.format(license="unknown"), None, None),
        ("# No metadata", None, None),
        ("---\n: [\n---\n", None, None),
    ],
)
def test_a_license_is_never_guessed(folder: Path, card: str, license: str | None, terms: str | None) -> None:
    (folder / "README.md").write_text(card)
    origin = start("segformer", folder).origin
    assert origin.license == license
    assert (terms is None and origin.terms is None) or (terms and terms in (origin.terms or ""))


@pytest.mark.parametrize("source", ["folder", "hub"])
def test_weights_in_several_files(source: str, hub: Any, tmp_path: Path) -> None:
    model = theirs("segformer", num_labels=3)
    model.save_pretrained(tmp_path / "theirs", max_shard_size="40KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1
    serve(hub, tmp_path / "theirs")
    given = {"checkpoint": tmp_path / "theirs"} if source == "folder" else {"options": {}, "pretrained": True}
    loaded = start("segformer", **given)
    assert same(model.segformer.state_dict(), loaded.network.encoder.model.state_dict())
    assert loaded.origin.part is None and loaded.origin.sha256 is None
    next((tmp_path / "theirs").glob("*-00002-*.safetensors")).unlink()
    with pytest.raises(InputError, match=r"has no model-00002-of-"):
        start("segformer", tmp_path / "theirs")


@pytest.mark.parametrize("folder", ["segformer"], indirect=True)
@pytest.mark.parametrize("source", ["folder", "hub"])
def test_a_pickle_is_not_opened(source: str, hub: Any, folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    serve(hub, folder)
    given = {"checkpoint": folder} if source == "folder" else {"options": {}, "pretrained": True}
    with pytest.raises(InputError, match=r"has no model\.safetensors; .*can hold code") as error:
        start("segformer", **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("folder", ["segformer"], indirect=True)
def test_code_of_a_repository_is_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "modeling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSemanticSegmentation": "modeling.Model", "AutoConfig": "modeling.C"}
    (folder / "config.json").write_text(json.dumps(config))
    loaded = start("segformer", folder, trust=True)
    assert "auto_map" not in loaded.architecture.options["config"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("folder", ["segformer"], indirect=True)
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-100]), "cannot be read, or are truncated"),
        (
            lambda f: save_file({"other": torch.zeros(1)}, f, {"format": "pt"}),
            "the weights do not fit a Segf",
        ),
        (lambda f: (f.parent / "config.json").write_text("{"), "config.json is missing or not valid JSON"),
        (lambda f: (f.parent / "config.json").write_text('{"model_type": "bert"}'), "unknown model_type of"),
        (
            lambda f: (f.parent / "config.json").write_text('{"model_type": "segformer", "depths": "deep"}'),
            "transformers rejects this configuration",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(folder: Path, damage: Any, message: str) -> None:
    damage(folder / "model.safetensors")
    with pytest.raises(InputError) as error:
        start("segformer", folder)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_configuration_beside_weights_is_refused(tmp_path: Path) -> None:
    theirs("segformer").save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"model\.options\.config"):
        start("segformer", tmp_path, options={"config": SEGFORMER})
