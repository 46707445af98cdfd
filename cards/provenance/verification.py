"""Verify the signatures of a model: the files are those that were signed, by the one who is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cards.errors import InputError, ModelError
from cards.provenance.bundle import Bundle, read_bundle
from cards.provenance.contents import Comparison, compare
from cards.provenance.names import PARTS, SIGNATURE
from cards.provenance.trust import Authenticity, TrustRoot, authenticate
from cards.record import RunRecord


@dataclass(frozen=True)
class Verification:
    """Outcome for one signature.

    Attributes:
        signature: the signature file.
        bundle: what it states.
        comparison: of the signed folder with it.
        authenticity: whether the trusted one signed it.
    """

    signature: Path
    bundle: Bundle
    comparison: Comparison
    authenticity: Authenticity

    @property
    def problems(self) -> list[str]:
        """What is wrong, one clause each; empty if the signature holds."""
        found = [] if self.authenticity.genuine else [self.authenticity.evidence]
        return found + self.comparison.problems


def signed_folders(folder: Path) -> list[tuple[Path, Path]]:
    """Find the signatures of a model.

    Args:
        folder: a run folder, a folder as published on Hugging Face, or an unpacked package.

    Returns:
        Signature file and the folder that it signs: `model.sig` and, in a published folder, `package.sig`
        and `native.sig`.
    """
    found = [(folder / SIGNATURE, folder)]
    found += [(folder / name, folder / part) for part, name in PARTS.items() if (folder / part).is_dir()]
    return [(signature, signed) for signature, signed in found if signature.is_file()]


def verify(folder: Path, trust: TrustRoot, signature: Path | None = None) -> list[Verification]:
    """Verify all signatures of a model.

    Args:
        folder: a run folder, a folder as published on Hugging Face, or an unpacked package.
        trust: whose signature is accepted.
        signature: the signature file, if it is not in the folder.

    Returns:
        One outcome for each signature.

    Raises:
        InputError: if there is no signature, it is not in the OpenSSF format, or a key cannot be read.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder")
    if signature is None and not (folder / SIGNATURE).is_file():
        raise ModelError(f"{folder}: there is no {SIGNATURE}; sign the model with `finetune sign`")
    places = [(signature, folder)] if signature else signed_folders(folder)
    outcomes = []
    for path, signed in places:
        bundle = read_bundle(path)
        authenticity = authenticate(bundle, trust)
        outcomes.append(Verification(path, bundle, compare(signed, bundle, _record(signed)), authenticity))
    return outcomes


def _record(folder: Path) -> RunRecord | None:
    """The record, whose files must be signed; a damaged one is signed like any other file."""
    try:
        return RunRecord.read(folder)
    except InputError:
        return None
