"""Comparison of the tensors in two files of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from cards.audit.claims import Claim, joined, sentence
from cards.audit.tensors import Tensor
from cards.errors import InputError
from cards.formatting import counted

FAMILY = "weights"
RESTORE = "Restore the file from the original, or export the model again."
RUN_AGAIN = "Audit with --recompute, which compares what the files compute."
DERIVED = ("onnx::", "val_")  # names that exporters give to tensors they compute, as those of merged layers
COUNTER = "num_batches_tracked"  # of batch normalization: counts training batches, not exported to ONNX

Stored = Mapping[str, tuple[str, int]]
"""SHA-256 and size in bytes of each tensor in a file, by name."""


def compare(
    statement: str, tensors: Mapping[str, Tensor], read: Callable[[], Stored | None], *, own: bool = True
) -> Claim:
    """Compare the tensors of a file with those of the model.

    Files may leave out tensors that are not used, and add constants. A tensor was changed if the file holds
    another one by its name; in a file without names, if it is missing and the file holds another one of the
    same size instead.

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
    present = {digest for digest, _ in stored.values()}
    expected: set[str] = set()
    missing: dict[str, int] = {}
    for name, tensor in tensors.items():
        digests = [tensor.digest()]
        if digests[0] not in present:
            digests += tensor.other_digests()
        expected |= set(digests)
        if not present.intersection(digests) and not name.endswith(COUNTER):
            missing[name] = tensor.data.nbytes
    extra = {name: entry for name, entry in stored.items() if entry[0] not in expected}
    names = _names(stored, tensors)
    computed = computed_names(stored)
    named = [name for name in missing if name in names and names[name] not in computed]
    rest = {name: size for name, size in missing.items() if name not in named}
    plain = {k: entry for k, entry in extra.items() if k not in computed and k not in names.values()}
    changed = [*named, *_of_equal_size(rest, plain)]
    replaced = _of_equal_size(rest, {k: entry for k, entry in extra.items() if k in computed})
    # A layer that is merged with its normalization has another matrix; otherwise the normalization differs.
    merged = replaced if any(tensors[name].data.ndim > 1 for name in replaced) else []
    changed += [] if merged else replaced
    return _judge(statement, len(tensors), list(missing), changed, merged, own=own)


def computed_names(stored: Iterable[str]) -> set[str]:
    """Names of tensors in an ONNX file that its exporter computed from those of the model.

    torch merges a convolution with its normalization into a tensor of the old name NAME, and adds NAME_bias.

    Args:
        stored: names of all tensors.

    Returns:
        The names.
    """
    present = set(stored)
    pairs = {part for name in present if name + "_bias" in present for part in (name, name + "_bias")}
    return pairs | {name for name in present if name.startswith(DERIVED)}


def _names(stored: Stored, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Tensors that a file stores by their names, which it may prefix; by name of the model."""
    found = {}
    for key in stored:
        parts = key.split(".")
        name = next((name for n in range(len(parts)) if (name := ".".join(parts[n:])) in tensors), None)
        if name is not None:
            found[name] = key
    return found


def _of_equal_size(missing: Mapping[str, int], extra: Stored) -> list[str]:
    """Missing tensors, instead of which a file may hold another one."""
    sizes = {size for _, size in extra.values()}
    return [name for name, size in missing.items() if size in sizes]


def compare_files(
    statement: str, first: Callable[[], Stored | None], second: Callable[[], Stored | None]
) -> Claim:
    """Compare the tensors of two files, of which neither states their names.

    Args:
        statement: of the claim.
        first: reads the file that is compared with; None if no reader of its format is installed.
        second: reads the other file.

    Returns:
        The claim.
    """
    try:
        expected, stored = first(), second()
    except InputError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), RESTORE)
    if expected is None or stored is None:
        remedy = "Audit the run folder, or audit with --recompute."
        return Claim(FAMILY, statement, "cannot tell", "No reader of this format is installed.", remedy)
    missing = {key: size for key, (digest, size) in expected.items() if (digest, size) not in stored.values()}
    extra = {key: entry for key, entry in stored.items() if entry not in expected.values()}
    return _judge(statement, len(expected), list(missing), _of_equal_size(missing, extra))


def _judge(
    statement: str,
    count: int,
    missing: Sequence[str],
    changed: Sequence[str],
    merged: Sequence[str] = (),
    *,
    own: bool = True,
) -> Claim:
    """Decide from the tensors that a file lacks, and those of them instead of which it has others.

    Only files in the format of another repository (not `own`) may store every tensor in another form.
    """
    common = count - len(missing)
    if common and changed:
        evidence = joined(f"{name} differs" for name in changed)
        return Claim(FAMILY, statement, "broken", f"{evidence[:-1]}; {common} of {count} agree.", RESTORE)
    if common and merged:
        return undecided(statement, common, count)
    if not common and own and not merged:
        return Claim(FAMILY, statement, "broken", f"None of {counted(count, 'tensor')} agrees.", RESTORE)
    if not common:
        evidence = f"None of {counted(count, 'tensor')} is stored in the same form."
        return Claim(FAMILY, statement, "cannot tell", evidence, RUN_AGAIN)
    return Claim(
        FAMILY, statement, "holds", f"{common} of {counted(count, 'tensor')} are equal byte for byte."
    )


def undecided(statement: str, common: int, count: int) -> Claim:
    """State that an ONNX file holds merged layers, which cannot be compared byte for byte.

    Args:
        statement: of the claim.
        common: number of equal tensors.
        count: number of tensors of the model.

    Returns:
        The claim.
    """
    evidence = (
        f"{common} of {counted(count, 'tensor')} are equal byte for byte; "
        "ONNX stores others merged with a normalization layer."
    )
    return Claim(FAMILY, statement, "cannot tell", evidence, RUN_AGAIN)
