"""ONNX files whose exporter merged layers: what cannot be compared is not called broken."""

from __future__ import annotations

from pathlib import Path

import audited_package
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
    initializers = [onnx.numpy_helper.from_array(np.asarray(value), key) for key, value in values.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph([], "graph", [], [], initializers))
    content = audited_package.read_package(run / PACKAGE)
    content["weights.onnx"] = model.SerializeToString()
    audited_package.write_package(run / PACKAGE, content)
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
    assert "merged with another layer" in evidence


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


def normalized(weight: np.ndarray, bias: np.ndarray, norm: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A convolution merged with its normalization, as torch computes it."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    fused = fuse_conv_bn_weights(
        torch.tensor(weight),
        torch.tensor(bias),
        torch.tensor(norm["running_mean"]),
        torch.tensor(norm["running_var"]),
        1e-5,
        torch.tensor(norm["weight"]),
        torch.tensor(norm["bias"]),
    )
    return [value.detach().numpy() for value in fused]


@pytest.mark.parametrize("delta", [0.0, 0.01])
@pytest.mark.parametrize("name", ["conv.weight", "val_176"])
def test_a_merged_layer_is_computed_and_compared(run: Path, delta: float, name: str) -> None:
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.uniform(0.5, 1.5, shape).astype(np.float32)  # noqa: E731
    weight, bias = draw(3, 2, 3, 3), draw(3)
    norm = {part: draw(3) for part in ("weight", "bias", "running_mean", "running_var")}
    model = {"conv.weight": weight, "conv.bias": bias, "head": draw(5)}
    save_file(model | {f"norm.{part}": value for part, value in norm.items()}, run / MODEL)
    merged_weight, merged_bias = normalized(weight, bias, norm)
    merged_weight[0, 0, 0, 0] += delta
    ((verdict, evidence),) = add_onnx(
        run, {name: merged_weight, "conv.bias": merged_bias, "head": model["head"]}
    )
    if not delta:
        assert verdict == "holds" and "merged with their normalization" in evidence
    else:
        assert verdict != "holds"


def test_constants_of_the_network_do_not_replace_weights(run: Path) -> None:
    """A size of the training that no layer uses, and positions that the exporter has reshaped."""
    positions = np.arange(16).reshape(4, 4)
    tensors = {"bias": np.ones(3, np.float32), "diameter": np.full(1, 30, np.float32), "index": positions}
    save_file(tensors, run / MODEL)
    constants = {"val_1": np.float32(5), "val_2": positions.ravel() + 1}
    ((verdict, _),) = add_onnx(run, {"bias": tensors["bias"], **constants})
    assert verdict == "holds"
