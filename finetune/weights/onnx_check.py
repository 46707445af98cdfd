"""Check of ONNX before ONNX Runtime loads it: one file that computes, with its weights inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cards.errors import ModelError
from finetune.utils.optional import require


def check_onnx(content: bytes, where: str) -> None:
    """Check that a model refers to no other file.

    Args:
        content: bytes of the file.
        where: name of the file for error messages.

    Raises:
        ModelError: if the file is not ONNX, or its weights are in another file.
    """
    require("onnx", "onnx")
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own types
        raise ModelError(f"{where}: not ONNX, or truncated: {type(error).__name__}") from error
    graphs = [model.graph, *model.functions]
    for tensor in (tensor for graph in graphs for tensor in _tensors(graph)):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError(
                f"{where}: its weights {tensor.name} are in another file; finetune reads one file only"
            )


def _tensors(graph: Any) -> Iterator[Any]:
    """All tensors of a graph or function, including those in branches and loops."""
    yield from getattr(graph, "initializer", ())
    for sparse in getattr(graph, "sparse_initializer", ()):
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
