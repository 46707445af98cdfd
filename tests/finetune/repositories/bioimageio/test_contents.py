"""Hostile packages: nothing outside the package is read, nothing large is expanded; one line says why."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import replace
from torch import nn

import finetune
from cards.errors import ModelError
from finetune.repositories.bioimageio.collection import open_package

ALIASES = "config:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
IMAGE = np.random.default_rng(0).normal(100, 20, (64, 64)).astype(np.float32)


def edit(path: Path, old: str, new: str) -> Path:
    description = path / "rdf.yaml"
    text = description.read_text()
    assert old in text
    description.write_text(text.replace(old, new, 1))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ModelError) as refused:
        finetune.load(path).predict(IMAGE)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize("license", ["SECRET", "../secret.txt", "link.txt", "http://127.0.0.1:9/x", "~/x"])
def test_a_license_never_reads_a_file_outside_the_package(package, license):
    path = package()
    secret = path.parent / "secret.txt"
    secret.write_text("password 1234\n")
    (path / "link.txt").symlink_to(secret)
    edit(path, "license: MIT", f"license:\n  source: {license.replace('SECRET', str(secret))}")
    message = complaint(path)
    assert "license" in message
    assert "password" not in message


@pytest.mark.parametrize("source", ["/etc/hostname", "../../x.pt", "C:/x.pt", "http://127.0.0.1:9/w.pt"])
def test_weights_outside_the_package_are_not_opened(package, source):
    assert "weights: " in complaint(edit(package(), "source: weights.pt", f"source: {source}"))


def test_an_archive_with_a_link_is_refused(package, tmp_path):
    path = package()
    (path / "weights.pt").unlink()
    packed = tmp_path / "package.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in path.iterdir():
            archive.write(file, file.name)
        info = zipfile.ZipInfo("weights.pt")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/hostname")
    assert "contains a symbolic link (weights.pt)" in complaint(packed)


def test_aliases_are_not_expanded(package):
    assert "counting those that aliases repeat" in complaint(
        edit(package(), "type: model\n", "type: model\n" + ALIASES)
    )


@pytest.mark.parametrize("name", ["rdf.yaml", "weights.pt"])
def test_a_member_that_expands_enormously_is_not_read(package, tmp_path, name):
    path = shutil.copytree(package(), tmp_path / "tiny")
    packed = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in path.iterdir():
            if file.name != name:
                archive.write(file, file.name)
        size = 2**24 if name == "rdf.yaml" else 340 * 2**20  # beyond the slack of a small archive
        archive.writestr(name, (path / name).read_bytes() + b" " * size)
    assert "MB, too large" in complaint(packed) or "that expand to" in complaint(packed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size: 64", "size: 100000000"),
        ("axis_id: y\n", "axis_id: y\n        halo: 1000000000\n"),
    ],
    ids=["size", "halo"],
)
def test_absurd_sizes_are_refused(package, old, new):
    message = complaint(edit(package(), old, new))
    assert "at most 16,384" in message or "not a valid" in message


class Saves(nn.Module):
    """Writes a file, in a branch that is rarely taken."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.head = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.save(images, self.path)
        return self.head(images)


def test_torchscript_that_writes_files_needs_trust(package, tmp_path):
    payload = tmp_path / "payload"
    path = package()
    torch.jit.script(Saves(str(payload))).save(str(tmp_path / "weights.pt"))
    replace(path, "weights.pt", (tmp_path / "weights.pt").read_bytes())
    assert "its TorchScript uses aten::save" in complaint(path)
    assert not payload.exists()
    finetune.load(path, trust=True).predict(IMAGE)
    assert payload.exists()


def test_damaged_and_replaced_weights_are_one_line(package):
    path = package()
    content = bytearray((path / "weights.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (path / "weights.pt").write_bytes(content)
    assert "weights.pt is damaged or was replaced" in complaint(path)
    assert "not TorchScript" in complaint(replace(path, "weights.pt", pickle.dumps({"a": 1})))


def test_onnx_with_weights_in_another_file_is_refused(package):
    import onnx

    path = package(formats=("onnx",))
    model = onnx.load(str(path / "weights.onnx"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/hostname")
    message = complaint(replace(path, "weights.onnx", model.SerializeToString()))
    assert "are in another file" in message


def test_maps_of_others_are_decoded_by_a_target_that_the_user_names(package):
    path = package(maps=2)
    assert "set target to what the maps are" in complaint(path)
    labels = finetune.load(path, target="foreground_boundary").predict(IMAGE)
    assert labels.shape == IMAGE.shape
    assert labels.dtype == np.int32


def test_a_description_on_the_web_reads_no_local_file(package, tmp_path, monkeypatch):
    import functools
    import http.server
    import threading

    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    path = edit(package(), "license: MIT", "license:\n  source: /etc/hostname")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=path.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ModelError, match="license: /etc/hostname is a file outside the package"):
            open_package(f"http://127.0.0.1:{server.server_port}/tiny/rdf.yaml")
        server.shutdown()
    assert not list((tmp_path / "cache").rglob("*.zip"))
