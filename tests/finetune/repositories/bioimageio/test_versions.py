"""Versions of a model in the BioImage.IO collection: the current one and earlier ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from collection_server import serve_collection
from foreign import refused, start
from typer.testing import CliRunner

from finetune.cli.main import app
from finetune.repositories.bioimageio import fetch_weights
from finetune.utils.offline import PLACES


@pytest.fixture
def versions(package) -> dict[str, Path]:
    folders = {name: package(version="2.0", id="tiny-fish") for name in ("v0", "v1", "v2")}
    for name, number in (("v0", "1.0"), ("v1", "1.1")):
        description = folders[name] / "rdf.yaml"
        text = description.read_text()
        assert "\nversion: '2.0'\n" in text
        description.write_text(text.replace("\nversion: '2.0'\n", f"\nversion: '{number}'\n"))
    return folders


@pytest.fixture
def asked(versions, tmp_path, monkeypatch) -> Iterator[list[str]]:
    from huggingface_hub import constants

    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):  # `finetune.utils.offline.use_folder` sets both
        monkeypatch.setattr(constants, name, getattr(constants, name))
    for variable in PLACES:
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    with serve_collection({"tiny-fish": versions}, monkeypatch) as requests:
        yield requests


def test_the_current_version_is_taken_unless_another_is_named(asked):
    assert start(None, name="tiny-fish").origin.revision == "2.0"
    assert not [address for address in asked if "version=" in address]


def test_an_earlier_version_is_downloaded_by_its_number_its_name_or_its_hash(asked, versions):
    digest = hashlib.sha256((versions["v0"] / "rdf.yaml").read_bytes()).hexdigest()
    for revision in ("1.0", "v0", digest[:12], f"sha256:{digest}"):
        assert start(None, name="tiny-fish", revision=revision).origin.revision == "1.0"
    weights = [address for address in asked if "/files/weights.pt" in address]
    assert weights == ["/artifacts/tiny-fish/files/weights.pt?version=v0"]  # once, then from the cache


def test_an_unknown_version_is_one_line_that_names_the_others(asked):
    message = refused(None, name="tiny-fish", revision="9.9")
    assert "tiny-fish: model.revision is 9.9, but the versions there are 2.0, 1.1, 1.0 (" in message


def test_without_a_network_each_version_comes_from_the_cache(asked, monkeypatch):
    fetched = [fetch_weights("tiny-fish", revision) for revision in ("v0", None)]
    assert [weights.revision for weights in fetched] == ["1.0", "2.0"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked.clear()
    assert [fetch_weights("tiny-fish", revision) for revision in ("v0", None)] == fetched
    assert fetch_weights("tiny-fish", "1.0").revision == "1.0"
    assert "nor a package of revision 1.1 in the cache" in refused(None, name="tiny-fish", revision="1.1")
    assert asked == []


def test_one_folder_of_downloads_holds_two_versions(asked, tmp_path):
    def download(*arguments: str) -> str:
        command = ["download", *arguments, "--to", str(tmp_path / "node")]
        return CliRunner().invoke(app, command, catch_exceptions=False).stdout

    assert "bioimageio:tiny-fish: downloaded" in download("bioimageio:tiny-fish@1.0")
    assert "bioimageio:tiny-fish: downloaded" in download("bioimageio:tiny-fish")
    assert download("bioimageio:tiny-fish@1.0", "bioimageio:tiny-fish").count("already there, verified") == 2
    assert "2 downloads" in download("--list")
