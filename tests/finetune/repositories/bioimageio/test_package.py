"""BioImage.IO packages as files: in a folder, a zip or on the web, whole or damaged."""

from __future__ import annotations

import functools
import http.server
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest
from foreign import refused, replace, start

from finetune.repositories.bioimageio import fetch_weights
from finetune.repositories.bioimageio.collection import open_package
from finetune.repositories.bioimageio.description import describe_package
from finetune.repositories.registry import REPOSITORIES, describe


def test_a_package_without_id_goes_by_its_title_and_the_hash_of_its_description(package):
    import hashlib

    path = package()
    origin = start(path).origin
    assert (origin.id, origin.bioimageio_id) == ("Tiny network", None)
    digest = hashlib.sha256((path / "rdf.yaml").read_bytes()).hexdigest()
    assert origin.revision == f"sha256:{digest}"
    assert start(path, revision=digest[:10]).origin == origin
    assert "model.revision is 0123456" in refused(path, revision="0123456")


@pytest.mark.parametrize("form", ["folder", "yaml", "zip"])
def test_folder_zip_and_yaml_are_the_same_package(package, tmp_path, form):
    path = package()
    if form == "yaml":
        path = path / "rdf.yaml"
    if form == "zip":
        path = Path(shutil.make_archive(tmp_path / "tiny", "zip", path))
    before = set(path.parent.iterdir())
    assert start(path).origin.id == "Tiny network"
    assert set(path.parent.iterdir()) == before  # nothing was unpacked beside it


def test_a_zip_that_would_write_outside_is_refused(package, tmp_path):
    path = Path(shutil.make_archive(tmp_path / "in" / "tiny", "zip", package()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../outside.txt", "outside")
    assert "would write outside its folder (../outside.txt)" in refused(path)
    assert not list(tmp_path.rglob("outside.txt"))


def test_pictures_that_bioimageio_draws_do_not_stay_in_the_temporary_folder(package, tmp_path, monkeypatch):
    path = package()
    lines = (path / "rdf.yaml").read_text().splitlines(keepends=True)
    at = lines.index("covers:\n")
    (path / "rdf.yaml").write_text("".join(lines[:at] + lines[at + 3 :]))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert open_package(path, check_files=True).description.covers == []
    assert not list((tmp_path / "temporary").iterdir())
    assert (path / "cover.png").exists()


def test_onnx_alone_can_label_but_not_learn(package):
    path = package(formats=("onnx",))
    info = describe_package(open_package(path))
    assert not info.fine_tunable
    assert "can predict, but cannot be fine-tuned: its weights are onnx" in info.why_not
    assert info.why_not in refused(path)
    assert describe_package(open_package(package())).fine_tunable


def test_truncated_weights(package):
    path = package()
    content = (path / "weights.pt").read_bytes()
    (path / "weights.pt").write_bytes(content[: len(content) // 2])
    assert "weights.pt is damaged or was replaced" in refused(path)
    assert "not TorchScript, or truncated" in refused(
        replace(path, "weights.pt", content[: len(content) // 2])
    )


def test_every_name_is_a_model_and_none_is_asked_for_until_it_is_loaded():
    assert describe("bioimageio", "any-fish").name == "any-fish"
    assert [info.name for info in REPOSITORIES["bioimageio"].models()] == ["affable-shark", "*"]


def test_what_is_no_package(tmp_path, package):
    assert "no such file or folder" in refused(tmp_path / "nowhere")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 cut short")
    assert "cannot be read as a BioImage.IO package" in refused(tmp_path / "bad.zip")
    path = package()
    (path / "rdf.yaml").write_text("type: model\nformat_version: 0.5.4\nname: Tiny\n")
    assert "not a valid BioImage.IO package" in refused(path)


@pytest.mark.parametrize("by", ["address", "id", "doi"])
def test_what_is_fetched_is_kept(package, tmp_path, monkeypatch, by):
    from bioimageio.spec._internal._settings import settings  # what BIOIMAGEIO_COLLECTION_HTTP_PATTERN sets

    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    path = package(formats=("torchscript", "onnx"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=path.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(settings, "collection_http_pattern", f"{root}/{{bioimageio_id}}/rdf.yaml")
        (path.parent / "affable-shark").symlink_to(path)
        name = {"address": f"{root}/tiny/rdf.yaml", "id": "tiny", "doi": "10.5281/zenodo.5764892"}[by]
        fetched = start(None, name=name)
        server.shutdown()
    assert fetched.origin.id == "Tiny network"
    (kept,) = (tmp_path / "cache" / "bioimageio").iterdir()
    assert "weights.onnx" not in zipfile.ZipFile(kept).namelist()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert start(None, name=name).origin == fetched.origin
    weights = fetch_weights(name, None)
    assert weights.files == (kept,) and weights.license == fetched.origin.license
    assert "HF_HUB_OFFLINE is set" in refused(None, name="never-fetched-fish")
