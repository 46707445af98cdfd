"""Family "weights": all files of weights hold the same finite tensors and compute the same function."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from cards.audit.checkpoints import checkpoint_claims
from cards.audit.claims import Claim, Subject, joined, record_of, sentence
from cards.audit.description import read_description
from cards.audit.packages import PackageFiles, packages
from cards.audit.tensors import (
    Tensor,
    keras_datasets,
    onnx_tensors,
    read_safetensors,
    torch_storages,
)
from cards.audit.torch_files import torch_tensors
from cards.audit.weight_comparison import FAMILY, RESTORE, Entries, Stored, compare
from cards.errors import InputError, ModelError
from cards.formatting import counted
from cards.record import RunRecord

MAX_WEIGHTS = 16 * 2**30  # bytes
MODEL, ADAPTER = "model.safetensors", "adapter_model.safetensors"
PASSTHROUGH = ("passthrough", "kept")  # parts of a state dict that a package leaves out

TOLERANCE = 1e-3
"""Largest difference from the recorded test output, relative to its largest value, as in the tests of
BioImage.IO: another runtime or processor sums float32 in another order, which changes the last digits."""
LABEL_TOLERANCE = 5e-3
"""Fraction of pixels with another label, of packages that return labels: the most that BioImage.IO allows."""


def check(subject: Subject) -> list[Claim]:
    """Compare all files of weights of a model.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    Raises:
        InputError: if there is no record.
    """
    record = record_of(subject)
    claims: list[Claim] = []
    tensors: dict[str, Tensor] | None = None
    for path in _safetensors(subject):
        name = path.relative_to(subject.folder).as_posix()
        claim, found = _readable(path, name)
        claims.append(claim)
        if path.name == MODEL:
            tensors = found
    if subject.kind != "package" and not claims:
        statement = f"There are weights in {MODEL}."
        claims.append(Claim(FAMILY, statement, "broken", "The file is missing.", RESTORE))
    found_packages = packages(subject)
    for package in found_packages:
        claims += _package(package, tensors)
    if subject.kind == "run" and tensors:
        claims += [
            compare(f"The weights in {name} are those of {MODEL}.", tensors, read, own=False)
            for name, read in _native(subject.folder)
        ]
        claims += checkpoint_claims(subject, record, tensors)
    return [*claims, *([_outputs(subject, record)] if found_packages else [])]


def _safetensors(subject: Subject) -> list[Path]:
    """Files of the published folder, and adapters in the repository's own format."""
    folder = subject.folder / "huggingface" if subject.kind == "run" else subject.folder
    names = [folder / MODEL, folder / ADAPTER]
    if subject.kind == "run":
        names += sorted((subject.folder / "native").rglob("*.safetensors"))
    return [path for path in names if path.is_file()]


def _readable(path: Path, name: str) -> tuple[Claim, dict[str, Tensor] | None]:
    statement = f"{name} is complete, and all its numbers are finite."
    try:
        tensors = read_safetensors(path, name)
    except InputError as error:
        return Claim(FAMILY, statement, "broken", sentence(error), RESTORE), None
    if bad := [key for key, tensor in tensors.items() if not tensor.finite]:
        evidence = joined(f"{key} holds NaN or infinity" for key in bad)
        return Claim(FAMILY, statement, "broken", evidence, RESTORE), tensors
    numbers = sum(tensor.data.size for tensor in tensors.values())
    evidence = f"{counted(len(tensors), 'tensor')} with {numbers:,} numbers."
    return Claim(FAMILY, statement, "holds", evidence), tensors


def _package(package: PackageFiles, tensors: Mapping[str, Tensor] | None) -> Iterator[Claim]:
    """Compare each weights file of a package with model.safetensors, or with the package's state dict."""
    described = _described_weights(package)
    readers = {
        name: reader
        for name in package.names
        if (reader := _reader(package, name)) is not None
        and (name in described or not name.startswith("test_"))
    }
    if tensors is not None:
        used = {key: tensor for key, tensor in tensors.items() if not key.startswith(PASSTHROUGH)}
        for name, read in readers.items():
            yield compare(f"The weights in {package.place(name)} are those of {MODEL}.", used, read)
        return
    first = next((name for name in readers if name.endswith((".pt", ".pth"))), "")
    others = [name for name in readers if name != first]
    if not first or not others:
        return
    try:
        own = torch_tensors(io.BytesIO(package.read(first, MAX_WEIGHTS)), package.place(first))
    except InputError as error:
        statement = f"The weights in {package.place(first)} can be read."
        yield Claim(FAMILY, statement, "broken", sentence(error), RESTORE)
        return
    for name in others:
        statement = f"The weights in {package.place(name)} are those of {first}."
        yield compare(statement, own, readers[name])


def _described_weights(package: PackageFiles) -> set[str]:
    """Names of the files of weights in the description. One that cannot be read is a broken claim itself."""
    try:
        entries = read_description(package).get("weights")
    except ModelError:
        return set()
    found = entries.values() if isinstance(entries, dict) else ()
    return {str(entry.get("source")) for entry in found if isinstance(entry, dict)}


def _reader(package: PackageFiles, name: str) -> Callable[[], Stored | None] | None:
    """A function that reads the tensors of a file of a package; None if it holds no weights."""
    if name.endswith((".pt", ".pth")):
        return lambda: _torch(package.read(name, MAX_WEIGHTS), package.place(name))
    if name.endswith(".onnx"):
        return lambda: _onnx(package.read(name, MAX_WEIGHTS), package.place(name))
    return None


def _torch(content: bytes, where: str) -> Stored:
    """Tensors of a state dict or TorchScript; the constants of TorchScript have no names."""
    entries = torch_storages(io.BytesIO(content), where)
    try:
        named = torch_tensors(io.BytesIO(content), where)
    except ModelError:  # TorchScript without named weights
        named = {}
    return Stored(entries, named=named)


def _onnx(content: bytes, where: str) -> Stored | None:
    tensors = onnx_tensors(content, where)
    if tensors is None:
        return None
    return Stored({name: (tensor.digest(), tensor.data.nbytes) for name, tensor in tensors.items()}, tensors)


def _native(folder: Path) -> Iterator[tuple[str, Callable[[], Stored | None]]]:
    """Files of weights in the repository's own format, and TorchScript that stores the structure."""
    readers: dict[str, Callable[[Path, str], Entries | None]] = {
        ".pt": torch_storages,
        ".pth": torch_storages,
        "": torch_storages,  # Cellpose's files have no suffix
        ".h5": keras_datasets,
    }
    for path in sorted((folder / "native").rglob("*")):
        read = readers.get(path.suffix)
        if read is not None and path.is_file():
            name = path.relative_to(folder).as_posix()
            yield name, partial(_read_native, read, path, name)


def _read_native(read: Callable[[Path, str], Entries | None], path: Path, name: str) -> Stored | None:
    entries = read(path, name)
    return None if entries is None else Stored(entries)


def _outputs(subject: Subject, record: RunRecord) -> Claim:
    """Run every file of weights on the test input of the package."""
    statement = "Every file of weights gives the recorded test output."
    run_again = subject.tools.compare_weights
    if run_again is None:
        evidence, remedy = "The model was not run.", "Audit with --recompute."
        return Claim(FAMILY, statement, "cannot tell", evidence, remedy)
    try:
        differences = run_again(subject.folder, record)
    except InputError as error:
        return Claim(FAMILY, statement, "cannot tell", sentence(error), RESTORE)
    if not differences:
        evidence = "There is no BioImage.IO package with test tensors."
        return Claim(FAMILY, statement, "cannot tell", evidence, RESTORE)
    labels = record.model.target.exports_labels
    tolerance = LABEL_TOLERANCE if labels else TOLERANCE
    unit = "of the pixels differ" if labels else "of the largest value"
    wrong = {name: value for name, value in differences.items() if not value <= tolerance}
    if wrong:
        evidence = joined(
            f"{name}: {value:.2g} {unit}, tolerance {tolerance}" for name, value in wrong.items()
        )
        return Claim(FAMILY, statement, "broken", evidence, RESTORE)
    worst = max(differences.values())
    evidence = (
        f"{counted(len(differences), 'file')}; largest difference {worst:.2g} {unit}, tolerance {tolerance}."
    )
    return Claim(FAMILY, statement, "holds", evidence)
