"""ONNX files whose exporter merged layers: what cannot be compared is not called broken."""

from __future__ import annotations

from pathlib import Path

import audited
import numpy as np
import pytest
from audited import PACKAGE, claims_of
from safetensors.numpy import save_file

onnx = pytest.importorskip("onnx")

MODEL = "huggingface/model.safetensors"


def with_onnx(run: Path, name: str) -> list[tuple[str, str]]:
    """Add ONNX weights in which a tensor of this name replaces one of the model; verdict and evidence."""
    tensors = {"conv": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.arange(3, dtype=np.float32)}
    save_file(tensors, run / MODEL)
    return add_onnx(run, {name: tensors["conv"] + 1, "bias": tensors["bias"]})


def add_onnx(run: Path, values: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """Add ONNX weights to the package; verdict and evidence."""
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


@pytest.mark.parametrize("name", ["onnx::Conv_21", "val_176"])
def test_a_merged_tensor_is_not(run: Path, name: str) -> None:
    ((verdict, evidence),) = with_onnx(run, name)
    assert verdict == "cannot tell"
    assert "merged with a normalization layer" in evidence


def test_a_counter_of_batches_that_the_format_leaves_out_is_not_held_against_it(run: Path) -> None:
    """ONNX files hold constants, such as shapes, of the size of the counter."""
    tensors = {"bias": np.arange(3, dtype=np.float32), "norm.num_batches_tracked": np.int64(9)}
    save_file({key: np.asarray(value) for key, value in tensors.items()}, run / MODEL)
    ((verdict, _),) = add_onnx(run, {"bias": tensors["bias"], "shape": np.array([1], np.int64)})
    assert verdict == "holds"


def test_weights_that_the_package_leaves_out_are_not_held_against_it(run: Path) -> None:
    tensors = {"bias": np.arange(3, dtype=np.float32), "kept.memory.bias": np.ones(4, np.float32)}
    save_file(tensors, run / MODEL)
    ((verdict, _),) = add_onnx(run, {"bias": tensors["bias"], "val_2": np.zeros(4, np.float32)})
    assert verdict == "holds"


def test_a_changed_normalization_that_is_stored_without_its_name_is_broken(run: Path) -> None:
    tensors = {"conv": np.ones((2, 4), np.float32), "norm": np.arange(3, dtype=np.float32)}
    save_file(tensors, run / MODEL)
    ((verdict, evidence),) = add_onnx(run, {"conv": tensors["conv"], "val_35": tensors["norm"] + 1})
    assert verdict == "broken" and evidence.startswith("norm differs")


def test_a_convolution_that_keeps_its_name_after_merging_cannot_be_compared(run: Path) -> None:
    tensors = {"head.fuse": np.ones((2, 4), np.float32), "head.norm": np.arange(3, dtype=np.float32)}
    save_file(tensors | {"bias": np.ones(5, np.float32)}, run / MODEL)
    merged = {"fuse": 2 * tensors["head.fuse"], "fuse_bias": np.zeros(3, np.float32)}
    ((verdict, evidence),) = add_onnx(run, {"bias": np.ones(5, np.float32), **merged})
    assert verdict == "cannot tell" and "merged" in evidence
