"""Sign a run: its folder, the part for Hugging Face, and the unpacked BioImage.IO package."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cards.archives import unpack
from cards.errors import InputError, ModelError
from cards.provenance.credentials import Credentials, make_signer, unreachable
from cards.provenance.names import (
    ADDED_LATER,
    NATIVE,
    NEVER_SIGNED,
    PACKAGE,
    PACKAGE_DESCRIPTIONS,
    PARTS,
    SIGNATURE,
    SIGNATURES,
)
from cards.provenance.quiet import quiet
from cards.record import RunRecord

HUB = "huggingface"


def sign(folder: Path, credentials: Credentials, *, overwrite: bool = False) -> list[Path]:
    """Sign a run folder, or a folder as published on Hugging Face.

    `model.sig` in the run folder signs all files but logs and checkpoints. Three signatures in `huggingface`
    sign what is published: `model.sig` the files there, `package.sig` those of the BioImage.IO package, which
    a published repository contains unpacked, and `native.sig` those of the folder `native`.

    Args:
        folder: a folder with a record.
        credentials: what signs it.
        overwrite: replace earlier signatures.

    Returns:
        The signature files.

    Raises:
        InputError: if the folder is no model, is signed already, or the credentials cannot be used.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; give a run folder")
    RunRecord.read(folder)
    with tempfile.TemporaryDirectory() as temporary:
        places = _places(folder, Path(temporary))
        for path in places:
            if path.exists() and not overwrite:
                raise InputError(f"{path}: exists; replace it with --overwrite")
        signer = make_signer(credentials)
        for path, signed in places.items():
            _sign(signed, path, signer)
    return list(places)


def _places(folder: Path, scratch: Path) -> dict[Path, Path]:
    """Signature files and the folders that they sign; those of whole models follow those of their parts."""
    hub = folder / HUB
    if not hub.is_dir():
        parts = {folder / name: folder / part for part, name in PARTS.items() if (folder / part).is_dir()}
        return {**parts, folder / SIGNATURE: folder}
    places = {}
    if archive := _package(folder):
        places[hub / PARTS[PACKAGE]] = _unpacked(archive, scratch / PACKAGE)
    if (folder / NATIVE).is_dir():
        places[hub / PARTS[NATIVE]] = folder / NATIVE
    return {**places, hub / SIGNATURE: hub, folder / SIGNATURE: folder}


def _unpacked(archive: Path, folder: Path) -> Path:
    """The files of a package under their names in a published repository."""
    folder.mkdir()
    unpack(archive, folder, archive.name)
    for published, original in PACKAGE_DESCRIPTIONS.items():
        if (folder / original).is_file() and not (folder / published).exists():
            (folder / original).rename(folder / published)
    return folder


def _package(folder: Path) -> Path | None:
    """The package of a run; None if there is none."""
    found = sorted((folder / "bioimageio").glob("*.zip"))
    if len(found) > 1:
        raise ModelError(f"{folder / 'bioimageio'}: contains {len(found)} packages; keep the one of this run")
    return found[0] if found else None


def _left_out(folder: Path) -> Iterable[str]:
    """Paths that the signature records as not signed."""
    yield from SIGNATURES
    if (folder / HUB).is_dir():
        yield from NEVER_SIGNED
    yield from (name for name in ADDED_LATER if not (folder / name).exists())
    yield from (part for part, name in PARTS.items() if (folder / name).is_file())  # which sign these folders


def _sign(folder: Path, path: Path, signer: Any) -> None:
    from model_signing import hashing
    from model_signing.signing import signing

    config = hashing.Config().set_ignored_paths(paths=sorted(set(_left_out(folder))))
    try:
        payload = signing.Payload(config.hash(folder))
    except (OSError, ValueError) as error:
        reason = str(error).replace(str(folder), folder.name)
        raise ModelError(f"{folder}: cannot be signed: {reason}") from error
    try:
        with quiet():
            signature = signer.sign(payload)
    except Exception as error:  # only Sigstore's signer needs a network
        raise unreachable(error) from error
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        signature.write(partial)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # a read-only disk
            partial.unlink(missing_ok=True)
