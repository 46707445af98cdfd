"""ONNX files whose exporter merged layers: what cannot be compared is not called broken."""

from __future__ import annotations

from pathlib import Path

import audited
import numpy as np
import pytest
from audited import PACKAGE, claims_of
from safetensors.numpy import save_file

onnx = pytest.importorskip("onnx")


def with_onnx(run: Path, name: str) -> list[tuple[str, str]]:
    """Add ONNX weights in which a tensor of this name replaces one of the model; verdict and evidence."""
    tensors = {"conv": np.arange(12, dtype=np.float32), "bias": np.arange(3, dtype=np.float32)}
    save_file(tensors, run / "huggingface" / "model.safetensors")
    values = {name: tensors["conv"] + 1, "bias": tensors["bias"]}
    initializers = [onnx.numpy_helper.from_array(value, key) for key, value in values.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph([], "graph", [], [], initializers))
    content = audited.read_package(run / PACKAGE)
    content["weights.onnx"] = model.SerializeToString()
    audited.write_package(run / PACKAGE, content)
    claims = (claim for claim in claims_of(run, "weights") if "weights.onnx" in claim.statement)
    return [(claim.verdict, claim.evidence) for claim in claims]


def test_a_changed_tensor_is_broken(run: Path) -> None:
    ((verdict, evidence),) = with_onnx(run, "conv")
    assert verdict == "broken"
    assert "differs" in evidence


def test_a_merged_tensor_is_not(run: Path) -> None:
    ((verdict, evidence),) = with_onnx(run, "onnx::Conv_21")
    assert verdict == "cannot tell"
    assert "merged with a normalization layer" in evidence
