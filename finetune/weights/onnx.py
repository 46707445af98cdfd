"""The ONNX writer."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from finetune.weights.equivalence import agree, example

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # optional: finetune[onnx]
OPSET = 18  # torch's own default: its exporter writes for it, and converts to any other afterwards


def write_onnx(network: nn.Module, path: Path, *, channels: int, divisor: int) -> None:
    """Export a network to one ONNX file, weights inside, for any batch size, height and width.

    Args:
        network: (N, C, H, W) float32 -> (N, K, H, W), on the CPU, in evaluation mode.
        path: the file to write.
        channels: C.
        divisor: H and W are multiples of this.

    Raises:
        RuntimeError: if ONNX Runtime gives another output than the network on an image of another size; or
            if a part of it is TorchScript of operations that torch cannot export.
    """
    from onnxruntime import InferenceSession

    with torch.no_grad(), _quiet():
        if any(_wants_tracing(module) for module in network.modules()):
            _by_tracing(network, path, example(channels, divisor))
        else:
            _from_python(network, path, example(channels, divisor), divisor)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(image: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {"image": image.numpy()})[0])

    agree("ONNX", network, run, channels, divisor)


def _from_python(network: nn.Module, path: Path, image: torch.Tensor, divisor: int) -> None:
    # Told that it divides, torch need not prove it of each layer, at which it fails for windows of tokens.
    height, width = (divisor * torch.export.Dim(name) for name in ("height", "width"))
    program = torch.onnx.export(
        network,
        (image,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC, 2: height, 3: width},),
        input_names=["image"],
        output_names=["maps"],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    # The exporter notes for each node from which line of which file it came: paths on somebody's disk.
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    program.save(str(path), external_data=False)


def _wants_tracing(module: nn.Module) -> bool:
    """Whether the newer exporter cannot export it: TorchScript, or what says so of itself."""
    return isinstance(module, torch.jit.ScriptModule) or getattr(module, "onnx_by_tracing", False)


def _by_tracing(network: nn.Module, path: Path, image: torch.Tensor) -> None:
    """By torch's older exporter."""
    import onnx

    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        network,
        (image,),
        str(path),
        dynamo=False,
        dynamic_axes={"image": axes, "maps": axes},
        input_names=["image"],
        output_names=["maps"],
        opset_version=OPSET,
    )
    model = onnx.load(path)
    for node in _nodes(model.graph):  # where each came from, as above
        node.doc_string = ""
    onnx.save(model, path)


def _nodes(graph: Any) -> Iterator[Any]:
    """Every node of a graph, and of the graphs inside its branches and loops."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own inner life from the user; its errors are raised."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
