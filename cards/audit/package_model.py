"""What the description of a package says of the model: tensors, processing, architecture and weights.

These fields follow from the record only as this version of finetune writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cards.audit.claims import Processing
from cards.audit.package_layout import unexpected
from cards.audit.values import differences, shown
from cards.bioimageio_weights import weights_comments
from cards.record import RunRecord

ADDED = tuple({"id": "ensure_dtype", "kwargs": {"dtype": dtype}} for dtype in ("float32", "int32"))
"""Operations that bioimageio.spec adds at both ends of the processing, for maps and for labels."""


def unlike_record(description: dict[str, Any], record: RunRecord, processing: Processing | None) -> list[str]:
    """List what a description says of the model and the record does not.

    Args:
        description: content of rdf.yaml.
        record: the record inside the package.
        processing: what follows from the record; None if it is not compared.

    Returns:
        Differences, with their keys.
    """
    return [
        *unexpected(description, record),
        *(_processing(description, processing) if processing else ()),
        *_weights(description, record),
    ]


def _processing(description: dict[str, Any], expected: Processing) -> Iterator[str]:
    """Operations before and behind the network."""
    yield from _operations(description, "inputs", "preprocessing", expected.before)
    yield from _operations(description, "outputs", "postprocessing", expected.behind)


def _operations(
    description: dict[str, Any], tensors: str, key: str, expected: Sequence[Mapping[str, Any]] | None
) -> list[str]:
    if expected is None:
        return []
    found = description.get(tensors)
    first = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
    operations = first.get(key) or []
    if isinstance(operations, list):
        operations = [operation for operation in operations if operation not in ADDED]
    return differences(operations, [dict(operation) for operation in expected], f"{tensors}[0].{key}")


def _weights(description: dict[str, Any], record: RunRecord) -> Iterator[str]:
    """Comments of the weights."""
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
