"""Fixtures shared by the tests of repositories."""

from __future__ import annotations

import functools
import pickle
import shutil
from pathlib import Path

import pytest

from finetune.repositories.cellpose import download as cellpose_store


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """package(**options) -> a fresh copy of a package; each kind is made once."""
    from foreign import make_package

    @functools.cache
    def made(options: str) -> Path:
        return make_package(tmp_path_factory.mktemp("made"), **pickle.loads(bytes.fromhex(options)))

    def get(**options) -> Path:
        source = made(pickle.dumps(options).hex())
        return shutil.copytree(source, tmp_path_factory.mktemp("copy") / "tiny")

    return get


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network and nothing in any cache."""
    from huggingface_hub import constants

    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))
    monkeypatch.setattr(cellpose_store, "SERVER", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
