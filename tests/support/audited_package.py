"""A small BioImage.IO package without a trained model, and changes to it, for tests of the audit."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cards.bioimageio import description_values, identity_values, render_documentation
from cards.bioimageio_config import config_values
from cards.bioimageio_parts import OUTPUT, shortest
from cards.record import RunRecord

WEIGHTS = bytes(64)  # of one tensor


def config(record: RunRecord) -> dict[str, Any]:
    """`config.json` of a record."""
    model = record.model
    return {
        "library_name": "finetune",
        "architecture": model.architecture.model_dump(mode="json"),
        "target": {"name": model.target.name, "options": model.target.options},
        "normalize": {"name": model.normalize.name, **model.normalize.options},
        "select_channels": "auto",
        "channels": model.channels,
        "inference_precision": record.inference.precision if record.inference else "float32",
    }


def torchscript() -> bytes:
    """A file as torch writes it, with the same tensor."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("weights/data/0"), WEIGHTS)
        archive.comment = b"TorchScript"
    return content.getvalue()


PERCENTILES = {"axes": ["y", "x"], "min_percentile": 1.0, "max_percentile": 99.8, "eps": 1e-6}
PREPROCESSING = [
    {"id": "scale_range", "kwargs": PERCENTILES},
    {"id": "clip", "kwargs": {"min": -20.0, "max": 20.0}},
]


def package_files(record: RunRecord) -> dict[str, bytes]:
    """Content of a package by file name, as `bioimageio.spec` would write it."""
    content: dict[str, bytes] = {
        "README.md": render_documentation(record).encode(),
        "record.json": record.dumps().encode(),
        "weights.pt": torchscript(),
        "test_input.npy": b"input",
        "test_output.npy": b"output",
        "cover.png": b"cover",
    }
    size = {"min": shortest(record.model.divisor), "step": record.model.divisor}
    described = {
        **description_values(record),
        "format_version": "0.5.10",
        "type": "model",
        "license": record.card.license,
        "documentation": _named(content, "README.md"),
        "covers": [_named(content, "cover.png")],
        "inputs": [
            {
                "id": "input",
                "description": "the image",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["channel0"]},
                    *({"size": size, "id": name, "type": "space"} for name in "yx"),
                ],
                "preprocessing": PREPROCESSING,
                "test_tensor": _named(content, "test_input.npy"),
            }
        ],
        "outputs": [
            {
                "id": "output",
                "description": OUTPUT,
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(record.model.target.map_names)},
                    *(
                        {"size": {"tensor_id": "input", "axis_id": name}, "id": name, "type": "space"}
                        for name in "yx"
                    ),
                ],
                "data": {"type": "float32"},
                "test_tensor": _named(content, "test_output.npy"),
            }
        ],
        "weights": {"torchscript": {**_named(content, "weights.pt"), "pytorch_version": "2.15.0"}},
        "attachments": [_named(content, "record.json")],
        "config": {
            "bioimageio": config_values(record),
            "finetune": {
                **identity_values(record),
                "covers_sha256": {"cover.png": hashlib.sha256(content["cover.png"]).hexdigest()},
                "prediction": {**config(record), "divisor": 16},
            },
        },
    }
    return {**content, "rdf.yaml": to_yaml(described)}


def to_yaml(content: dict[str, Any]) -> bytes:
    """YAML of a description."""
    from ruamel.yaml import YAML

    text = io.BytesIO()
    YAML(typ="safe").dump(content, text)
    return text.getvalue()


def read_package(path: Path) -> dict[str, bytes]:
    """Content of a package by file name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_package(path: Path, content: dict[str, bytes]) -> None:
    """Write a package as a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def edit_description(content: dict[str, bytes], change: Callable[[dict[str, Any]], object]) -> None:
    """Change the description of a package; hashes of its files are brought up to date afterwards."""
    from ruamel.yaml import YAML

    described = YAML(typ="safe").load(content["rdf.yaml"])
    change(described)
    _refresh(described, content)
    content["rdf.yaml"] = to_yaml(described)


def _refresh(value: Any, content: dict[str, bytes]) -> None:
    if isinstance(value, dict):
        if value.get("source") in content and "sha256" in value:
            value["sha256"] = hashlib.sha256(content[value["source"]]).hexdigest()
        for item in value.values():
            _refresh(item, content)
    elif isinstance(value, list):
        for item in value:
            _refresh(item, content)


def _named(content: dict[str, bytes], name: str) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(content[name]).hexdigest()}
