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

from cards.bioimageio_parts import OPSET
from finetune.weights.equivalence import agree, example

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # optional: finetune[onnx]


def write_onnx(network: nn.Module, path: Path, *, channels: int, divisor: int) -> None:
    """Export a network to one ONNX file, weights inside, for any batch size, height and width.

    Args:
        network: (N, C, H, W) float32 -> (N, K, H, W), on the CPU, in evaluation mode.
        path: the file to write.
        channels: number of channels, C.
        divisor: H and W are multiples of this.

    Raises:
        RuntimeError: if ONNX Runtime and the network differ on an image of another size, or if a submodule is
            TorchScript with operations that torch cannot export.
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
    # With a stated divisor torch need not prove divisibility per layer, which fails for windowed attention.
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
    # The exporter stores the source location of each node, which contains local paths.
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    program.save(str(path), external_data=False)


def _wants_tracing(module: nn.Module) -> bool:
    """Whether only the older exporter can export a module: TorchScript, or marked `onnx_by_tracing`."""
    return isinstance(module, torch.jit.ScriptModule) or getattr(module, "onnx_by_tracing", False)


def _by_tracing(network: nn.Module, path: Path, image: torch.Tensor) -> None:
    """Export with torch's older exporter, which traces."""
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
    for node in _nodes(model.graph):  # source locations, as above
        node.doc_string = ""
    onnx.save(model, path)


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a graph, including those in branches and loops."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's log messages and warnings; errors are raised."""
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
