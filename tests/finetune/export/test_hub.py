"""Loading from the Hugging Face Hub: a real client, over HTTP, from a server that holds one model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from forked_command import run_command

from finetune.export.huggingface import save_model

REPO = "someone/nuclei"


@pytest.fixture
def served(hub, tmp_path, make_model) -> None:
    """A model of ours on the Hub, as version v1."""
    folder = tmp_path / "served"
    save_model(make_model(), folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.add(REPO, files | {"README.md": b"not needed to load it"}, "v1", lfs={"model.safetensors"})


@pytest.fixture
def load(tmp_path, image, monkeypatch) -> Callable[..., list[Any]]:
    """load(*sources, **environment) -> labels or an error for each, from a process of its own."""
    np.save(tmp_path / "image.npy", image())

    def run(*sources: str, **environment: str) -> list[Any]:
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        done = run_command(tmp_path / "image.npy", *sources, cwd=tmp_path, program="hub_client")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_models_load_from_the_hub_and_again_without_it(hub, served, load, make_model, image):
    hub.add("someone/private", {"config.json": b"{}"})
    hub.private.add("someone/private")
    hub.add("someone/gated", {"config.json": b"{}"})
    hub.gated.add("someone/gated")
    hub.add("someone/weights", {"cpsam": b"0"})
    expected = make_model().predict(image()).tolist()
    refused = {
        "someone/else": "no such model on the Hugging Face Hub",
        "someone/private": "if it is private, run `hf auth login`",
        "someone/gated": "request access",
        "someone/weights": "has no file config.json",
        f"{REPO}@v9": "has no revision 'v9'",
    }
    labels, *errors = load(f"{REPO}@v1", *refused)
    assert labels == expected
    assert any("/revision/v1" in request.path for request in hub.asked)
    assert not any("README" in request.path for request in hub.asked)
    for error, (source, message) in zip(errors, refused.items(), strict=True):
        assert error.startswith(f"{source.partition('@')[0]}: ")
        assert error.endswith(f"; and there is no folder {source} here")
        assert message in error
        assert "\n" not in error
    hub.asked.clear()
    labels, error = load(f"{REPO}@v1", "someone/else", HF_HUB_OFFLINE="1")
    assert labels == expected
    assert "the Hugging Face Hub cannot be reached (HF_HUB_OFFLINE is set)" in error
    assert not hub.asked


def test_no_network_is_one_line(hub, load):
    (error,) = load(REPO, HF_ENDPOINT="http://127.0.0.1:9")
    assert error.startswith(
        f"{REPO}: the Hugging Face Hub cannot be reached (ConnectError), and the model is"
    )
    assert "\n" not in error
