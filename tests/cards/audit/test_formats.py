"""Metadata are valid for the Hub and for BioImage.IO, or the rule that is broken is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audited_package
import pytest
from audited import PACKAGE, README, broken, claims_of


@pytest.mark.parametrize(
    ("old", "new", "evidence"),
    [
        ("license: mit", "license: MIT License", "license: 'MIT License' is not an identifier of the Hub"),
        ("license: mit", "license: other", "license_name is missing"),
        ("pipeline_tag: image-segmentation", "pipeline_tag: segmentation", "pipeline_tag: 'segmentation'"),
        ("base_model: example/", "base_model: /home/me/example/", "is not an id of the Hub"),
        ("- example/dsb2018", "- a data set", "datasets: 'a data set' is not an id"),
        ("value: 0.9263", "value: high", "dice is 'high', expected a number"),
        ("value: 0.9263", "value: .nan", "expected a number"),
        ("  results:", "  outcome:", "model-index"),
    ],
)
def test_a_rule_of_the_hub_is_named(run: Path, old: str, new: str, evidence: str) -> None:
    text = (run / README).read_text(encoding="utf-8")
    assert old in text
    (run / README).write_text(text.replace(old, new, 1), encoding="utf-8")
    found = broken(claims_of(run, "formats"))
    assert any(evidence in problem for problem in found), found


def drop(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.pop(key)


def put(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.update({key: value})


def weights(**entries: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["weights"].update(entries)


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        (drop("inputs"), "inputs is missing"),
        (drop("documentation"), "documentation is missing"),
        (put("type", "dataset"), "type: 'dataset'"),
        (put("format_version", "0.3.2"), "format_version: '0.3.2'"),
        (put("name", "U/Net"), "name: expected 5 to 128"),
        (put("timestamp", "yesterday"), "timestamp: 'yesterday'"),
        (weights(onnx={"source": "weights.onnx", "opset_version": 18}), "weights.onnx is missing"),
        (weights(onnx={"source": "weights.pt", "opset_version": 18}), "2 entries without a parent"),
        (weights(onnx={"source": "weights.pt", "parent": "keras_hdf5"}), "the parent of onnx is keras_hdf5"),
        (weights(pickle={"source": "weights.pt", "parent": "torchscript"}), "unknown format pickle"),
        (lambda found: found["inputs"][0].pop("test_tensor"), "input has no test_tensor"),
        (lambda found: found["outputs"][0].update(id="input"), "an id occurs twice"),
    ],
)
def test_a_rule_of_bioimageio_is_named(
    run: Path, change: Callable[[dict[str, Any]], object], evidence: str
) -> None:
    content = audited_package.read_package(run / PACKAGE)
    audited_package.edit_description(content, change)
    audited_package.write_package(run / PACKAGE, content)
    found = broken(claims_of(run, "formats"))
    assert any(evidence in problem for problem in found), found


def test_the_documentation_needs_a_heading_with_validation(run: Path) -> None:
    content = audited_package.read_package(run / PACKAGE)
    content["README.md"] = re.sub(rb"## Validation\n", b"## Tests\n", content["README.md"])
    audited_package.write_package(run / PACKAGE, content)
    assert "no heading with Validation" in "".join(broken(claims_of(run, "formats")))


def test_two_packages_with_one_id_are_found(run: Path) -> None:
    content = audited_package.read_package(run / PACKAGE)
    audited_package.edit_description(content, put("id", "affable-shark"))
    for name in ("one.zip", "two.zip"):
        audited_package.write_package(run / "bioimageio" / name, content)
    found = broken(claims_of(run, "formats"))
    assert any("affable-shark is the id of 2 packages" in problem for problem in found), found
