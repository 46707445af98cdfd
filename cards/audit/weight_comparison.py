"""Comparison of the tensors in two files of weights."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cards.audit.claims import Claim, joined, sentence
from cards.audit.merged_layers import explain
from cards.audit.tensors import Tensor
from cards.errors import InputError
from cards.formatting import counted

FAMILY = "weights"
RESTORE = "Restore the file from the original, or export the model again."
RUN_AGAIN = "Audit with --recompute, which compares what the files compute."
DERIVED = ("onnx::", "val_")  # names that exporters give to tensors they compute, as those of merged layers
COUNTER = "num_batches_tracked"  # of batch normalization: counts training batches, not exported to ONNX

Entries = Mapping[str, tuple[str, int]]
"""SHA-256 and size in bytes of each tensor in a file, by name."""


@dataclass(frozen=True)
class Stored:
    """Tensors of a file.

    Attributes:
        entries: their hashes, by name.
        arrays: the tensors themselves, if the format states names and shapes.
        named: tensors by the names that the network gives them, if `entries` has other names.
    """

    entries: Entries
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    named: Mapping[str, Tensor] = field(default_factory=dict)


def compare(
    statement: str, tensors: Mapping[str, Tensor], read: Callable[[], Stored | None], *, own: bool = True
) -> Claim:
    """Compare the tensors of a file with those of the model.

    Files may leave out tensors that are not used, and add constants. A tensor was changed if the file holds
    another one by its name, which may be another tensor of the model; in a file without names, if it is
    missing and the file holds another one of the same size instead.

    Args:
        statement: of the claim.
        tensors: of the model, by name.
        read: reads the file; None if no reader of its format is installed.
        own: whether finetune defines how the file stores tensors.

    Returns:
        The claim.
    """
    try:
        stored = read()
    except InputError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), RESTORE)
    if stored is None:
        remedy = 'Install finetune with the extras "onnx" and "stardist", or audit with --recompute.'
        return Claim(FAMILY, statement, "cannot tell", "No reader of this format is installed.", remedy)
    present = {digest for digest, _ in stored.entries.values()}
    expected: set[str] = set()
    missing: dict[str, int] = {}
    own_digests: dict[str, list[str]] = {}
    for name, tensor in tensors.items():
        digests = own_digests[name] = [tensor.digest()]
        if digests[0] not in present:
            digests += tensor.other_digests()
        expected |= set(digests)
        if not present.intersection(digests) and not name.endswith(COUNTER):
            missing[name] = tensor.data.nbytes
    extra = {name: entry for name, entry in stored.entries.items() if entry[0] not in expected}
    common = len(tensors) - len(missing)
    explained, used = explain(
        tensors, {key: stored.arrays[key].data for key in extra if key in stored.arrays}, set(missing)
    )
    missing = {name: size for name, size in missing.items() if name not in explained}
    extra = {key: entry for key, entry in extra.items() if key not in used}
    names = _names(extra, tensors)
    computed = _computed(extra)
    named = [name for name in missing if name in names and names[name] not in computed]
    rest = {name: size for name, size in missing.items() if name not in named}
    plain = {key: entry for key, entry in extra.items() if key not in computed | set(names.values())}
    exchanged = _exchanged(tensors, own_digests, stored, expected, used)
    changed = [*dict.fromkeys([*named, *exchanged]), *_replaced(rest, plain, tensors, stored)]
    others = _replaced(rest, {key: extra[key] for key in computed}, tensors, stored)
    # A layer that is merged in another way has another matrix; otherwise its normalization differs.
    merged = others if any(tensors[name].data.ndim > 1 for name in others) else []
    changed += [] if merged else others
    return _judge(statement, len(tensors), common, changed, merged, explained=bool(explained), own=own)


def _computed(stored: Iterable[str]) -> set[str]:
    """Names of tensors in an ONNX file that its exporter computed from those of the model.

    torch merges a convolution with its normalization into a tensor of the old name NAME, and adds NAME_bias.
    """
    present = set(stored)
    pairs = {part for name in present if name + "_bias" in present for part in (name, name + "_bias")}
    return pairs | {name for name in present if name.startswith(DERIVED)}


def _names(stored: Iterable[str], tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Tensors that a file stores by their names, which it may prefix; by name of the model."""
    found = {}
    for key in stored:
        parts = key.split(".")
        name = next((name for n in range(len(parts)) if (name := ".".join(parts[n:])) in tensors), None)
        if name is not None:
            found[name] = key
    return found


def _exchanged(
    tensors: Mapping[str, Tensor],
    digests: Mapping[str, Sequence[str]],
    stored: Stored,
    expected: set[str],
    merged: Container[str],
) -> list[str]:
    """Tensors under whose names a file holds another tensor of the model."""
    found = {key: tensor for key, tensor in (stored.named or stored.arrays).items() if key not in merged}
    computed = _computed(found)
    names = {name: key for name, key in _names(found, tensors).items() if key not in computed}
    return [
        name
        for name, key in names.items()
        if (digest := found[key].digest()) in expected
        and digest not in digests[name]
        and digest not in tensors[name].other_digests()
    ]


def _replaced(
    missing: Mapping[str, int], extra: Entries, tensors: Mapping[str, Tensor], stored: Stored
) -> list[str]:
    """Missing tensors, instead of which a file may hold another one.

    A format with shapes also holds constants of the network, which are integers or single numbers.
    """
    if not stored.arrays:
        sizes = {size for _, size in extra.values()}
        return [name for name, size in missing.items() if size in sizes]
    shapes = {_shape(stored.arrays[key].data) for key in extra if stored.arrays[key].data.dtype.kind == "f"}
    arrays = {name: tensors[name].data for name in missing}
    return [name for name, array in arrays.items() if array.size > 1 and _shape(array) in shapes]


def _shape(array: np.ndarray) -> tuple[int, ...]:
    return tuple(extent for extent in array.shape if extent > 1)


def _judge(
    statement: str,
    count: int,
    common: int,
    changed: Sequence[str],
    merged: Sequence[str] = (),
    *,
    explained: bool = False,
    own: bool = True,
) -> Claim:
    """Decide from the number of equal tensors, and from those instead of which a file has others.

    Only files in the format of another repository (not `own`) may store every tensor in another form.
    """
    if common and changed:
        evidence = joined(f"{name} differs" for name in changed)
        return Claim(FAMILY, statement, "broken", f"{evidence[:-1]}; {common} of {count} agree.", RESTORE)
    if common and merged:
        evidence = (
            f"{common} of {counted(count, 'tensor')} are equal byte for byte; "
            "ONNX stores others merged with another layer."
        )
        return Claim(FAMILY, statement, "cannot tell", evidence, RUN_AGAIN)
    if not common and own and not merged:
        return Claim(FAMILY, statement, "broken", f"None of {counted(count, 'tensor')} agrees.", RESTORE)
    if not common:
        evidence = f"None of {counted(count, 'tensor')} is stored in the same form."
        return Claim(FAMILY, statement, "cannot tell", evidence, RUN_AGAIN)
    evidence = f"{common} of {counted(count, 'tensor')} are equal byte for byte"
    if explained:
        evidence += "; the others follow from layers that are merged with their normalization"
    return Claim(FAMILY, statement, "holds", f"{evidence}.")
