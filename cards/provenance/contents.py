"""Comparison of a folder with its signature: which files differ, are missing, or are not signed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cards.errors import ModelError
from cards.fingerprint import sha256_file
from cards.provenance.bundle import Bundle
from cards.provenance.names import (
    PACKAGE_DESCRIPTIONS,
    PARTS,
    SIGNATURES,
    is_foreign,
    is_required,
)
from cards.record import RunRecord

SHOWN = 5  # names in one line


@dataclass(frozen=True)
class Comparison:
    """Differences between a folder and its signature; all lists hold paths in the folder.

    Attributes:
        signed: number of files that the signature lists.
        different: content differs from the one that was signed.
        missing: signed, but not in the folder.
        unsigned: in the folder, but neither signed nor left out by the signature.
        left_out: in the folder, and left out by the signature, such as logs.
        unprotected: card, record, weights or files of the record that are in the folder but not signed.
    """

    signed: int
    different: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unprotected: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What is wrong, one clause each; empty if the folder is the one that was signed."""
        clauses = (
            ("changed after signing", self.different),
            ("signed but missing", self.missing),
            ("not signed", self.unsigned),
            ("left out by the signature, which protects nothing then", self.unprotected),
        )
        return [f"{words}: {names(paths)}" for words, paths in clauses if paths]


def names(paths: Iterable[str]) -> str:
    """List paths in one line.

    Args:
        paths: in the folder.

    Returns:
        The first ones, and how many more there are.
    """
    listed = list(paths)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def compare(
    folder: Path,
    bundle: Bundle,
    record: RunRecord | None,
    sha256: Callable[[Path], str] = sha256_file,
) -> Comparison:
    """Compare the files of a folder with a signature.

    Args:
        folder: the signed folder.
        bundle: its signature.
        record: of the folder, whose files must be signed, too; None if there is none.
        sha256: hashes a file; an audit passes a function that remembers hashes.

    Returns:
        The differences.

    Raises:
        ModelError: if a file cannot be read, or its hash needs a package that is not installed.
    """
    places = {name: folder / name for name in _files(folder) if not is_foreign(name)}
    for published, original in PACKAGE_DESCRIPTIONS.items():
        if published in bundle.files and published not in places and original in places:
            places[published] = places.pop(original)
    present, listed = places.keys(), bundle.files.keys()
    required = {name for name in present if is_required(name)} | (_recorded(folder, record) & present)
    return Comparison(
        signed=len(listed),
        different=[
            name
            for name in sorted(present & listed)
            if _digest(places[name], bundle.algorithm, sha256) != bundle.files[name]
        ],
        missing=sorted(listed - present),
        unsigned=sorted(
            name
            for name in present - listed
            if name not in SIGNATURES and not _is_elsewhere(folder, name) and not bundle.ignores(name)
        ),
        left_out=sorted(
            name
            for name in present - listed
            if name not in SIGNATURES and bundle.ignores(name) and not _is_elsewhere(folder, name)
        ),
        unprotected=sorted(name for name in required - listed if not _is_elsewhere(folder, name)),
    )


def _files(folder: Path) -> Iterable[str]:
    for path in folder.rglob("*"):
        if path.is_file() or path.is_symlink():
            yield path.relative_to(folder).as_posix()


def _is_elsewhere(folder: Path, name: str) -> bool:
    """Whether another signature signs a file, such as `package.sig` the folder `package`."""
    part, slash, _ = name.partition("/")
    return bool(slash) and part in PARTS and (folder / PARTS[part]).is_file()


def _recorded(folder: Path, record: RunRecord | None) -> set[str]:
    """Files of the record, as paths in the run folder or in the published folder."""
    if record is None:
        return set()
    paths = {file.path for file in record.files if not file.path.startswith("checkpoints/")}
    inside = {path for path in paths if (folder / path).is_file()}
    return inside or {path.removeprefix("huggingface/") for path in paths}


def _digest(path: Path, algorithm: str, sha256: Callable[[Path], str]) -> str:
    try:
        if algorithm == "sha256":
            return sha256(path)
        with path.open("rb") as file:
            if algorithm == "blake2b":
                return hashlib.file_digest(file, "blake2b").hexdigest()
            try:
                from blake3 import blake3
            except ImportError as error:
                raise ModelError(
                    f"{path.name}: signed with blake3, which is not installed; install it in a clone of "
                    'finetune with: pip install ".[signing]"'
                ) from error
            hasher = blake3()
            for chunk in iter(lambda: file.read(2**20), b""):
                hasher.update(chunk)
            return hasher.hexdigest()
    except OSError as error:
        raise ModelError(f"{path.name}: cannot be read: {error.strerror}") from error
