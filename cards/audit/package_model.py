"""What the description of a package says of the model: tensors, processing, architecture and weights.

These fields follow from the record only as this version of finetune writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cards.audit.values import differences, shown
from cards.bioimageio_weights import weights_comments
from cards.record import RunRecord

NEVER_WRITTEN = ("version", "version_comment", "uploader", "packaged_by", "links", "training_data", "icon")
"""Fields of the format that finetune leaves out, because the record does not support them."""
PERCENTILES = {"low": "min_percentile", "high": "max_percentile", "eps": "eps"}


def unlike_record(description: dict[str, Any], record: RunRecord) -> list[str]:
    """List what a description says of the model and the record does not.

    Args:
        description: content of rdf.yaml.
        record: the record inside the package.

    Returns:
        Differences, with their keys.
    """
    return [
        *(
            f"{key}: {shown(description[key])} is not in the record"
            for key in NEVER_WRITTEN
            if description.get(key)
        ),
        *_tensors(description, record),
        *_normalization(description, record),
        *_weights(description, record),
    ]


def _tensors(description: dict[str, Any], record: RunRecord) -> Iterator[str]:
    """Number of input channels, and names of the maps."""
    target = record.model.target
    expected = {
        "inputs": [f"channel{index}" for index in range(record.model.channels)],
        "outputs": ["labels"] if target.exports_labels else target.map_names,
    }
    for key, names in expected.items():
        tensors = description.get(key)
        tensor = tensors[0] if isinstance(tensors, list) and tensors else {}
        axes = tensor.get("axes") if isinstance(tensor, dict) else None
        for axis in axes if isinstance(axes, list) else ():
            if isinstance(axis, dict) and axis.get("type") == "channel":
                yield from differences(axis.get("channel_names"), list(names), f"{key}[0].channel_names")


def _normalization(description: dict[str, Any], record: RunRecord) -> Iterator[str]:
    """Numbers of the preprocessing that the record states."""
    stated = record.model.normalize.options
    wanted = {
        "scale_range": {name: stated[key] for key, name in PERCENTILES.items() if key in stated},
        "clip": {"min": -stated["clip"], "max": stated["clip"]} if "clip" in stated else {},
    }
    inputs = description.get("inputs")
    first = inputs[0] if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else {}
    operations = first.get("preprocessing")
    for operation in operations if isinstance(operations, list) else ():
        if not isinstance(operation, dict) or not isinstance(operation.get("kwargs"), dict):
            continue
        expected = wanted.get(str(operation.get("id")), {})
        found = {key: operation["kwargs"].get(key) for key in expected}
        yield from differences(found, expected, f"preprocessing.{operation.get('id')}")


def _weights(description: dict[str, Any], record: RunRecord) -> Iterator[str]:
    """Comments of the weights, and the arguments that build the network of a state dict."""
    entries = description.get("weights")
    entries = (
        {key: one for key, one in entries.items() if isinstance(one, dict)}
        if isinstance(entries, dict)
        else {}
    )
    comments = weights_comments(record, with_state_dict="pytorch_state_dict" in entries)
    for key, entry in entries.items():
        if key in comments and entry.get("comment") not in (None, comments[key]):
            yield f"weights.{key}.comment: {shown(entry.get('comment'))}, expected {comments[key]}"
    architecture = entries.get("pytorch_state_dict", {}).get("architecture")
    arguments = architecture.get("kwargs") if isinstance(architecture, dict) else None
    if isinstance(arguments, dict):
        known = {key: value for key, value in record.model.architecture.options.items() if key in arguments}
        found = {key: arguments[key] for key in known}
        yield from differences(found, known, "weights.pytorch_state_dict.architecture.kwargs")
