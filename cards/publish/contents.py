"""Files to publish, collected from a run folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cards.archives import unpack
from cards.audit.packages import HUB_PACKAGE
from cards.errors import ModelError
from cards.fingerprint import sha256_file
from cards.provenance.names import is_foreign
from cards.publish.base import Item
from cards.record import RunRecord

HUB = "huggingface"
NATIVE = "native"
PACKAGES = "bioimageio"
DESCRIPTION = "rdf.yaml"
HUB_DESCRIPTION = "bioimageio.yaml"  # name that `bioimageio.spec` reads in a repository on Hugging Face


def hub_items(run: Path, record: RunRecord, scratch: Path) -> list[Item]:
    """List the files of a model repository that finetune, BioImage.IO and the native package can read.

    The files of `huggingface/` are at the root, with the card. `native/` keeps its name. The unpacked
    BioImage.IO package is in `package/`, with its description as `bioimageio.yaml`, because
    `bioimageio.spec.load_description("huggingface/ID")` reads `package/bioimageio.yaml`.

    Args:
        run: the run folder.
        record: its record.
        scratch: an empty folder, into which the package is unpacked.

    Returns:
        The files, sorted by path.

    Raises:
        ModelError: if there is no model, or the package cannot be unpacked.
    """
    root = run / HUB
    if not root.is_dir():
        raise ModelError(f"{run}: there is no folder {HUB}; give a run folder that `finetune run` completed")
    files = {path.relative_to(root).as_posix(): path for path in _files(root)}
    listed = (file.path for file in record.files if file.path.startswith(f"{NATIVE}/"))
    files |= {path: run / path for path in listed}
    if package := _package(run):
        for path, source in _unpacked(package, scratch).items():
            name = HUB_DESCRIPTION if path == DESCRIPTION else path
            files[f"{HUB_PACKAGE}/{name}"] = source
    return _items(files)


def package_items(run: Path, scratch: Path) -> list[Item]:
    """List the files of the BioImage.IO package of a run.

    Args:
        run: the run folder.
        scratch: an empty folder, into which the package is unpacked.

    Returns:
        The files, sorted by path.

    Raises:
        ModelError: if the run has no package, or it cannot be unpacked.
    """
    package = _package(run)
    if package is None:
        raise ModelError(
            f"{run}: there is no BioImage.IO package in {PACKAGES}/; the warnings on the card say why"
        )
    return _items(_unpacked(package, scratch))


def _package(run: Path) -> Path | None:
    found = sorted((run / PACKAGES).glob("*.zip"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ModelError(f"{run}: {PACKAGES}/ contains several packages ({names}); keep the one to publish")
    return found[0] if found else None


def _unpacked(package: Path, scratch: Path) -> dict[str, Path]:
    folder = scratch / "unpacked"
    folder.mkdir()
    unpack(package, folder, package.name)
    return {path.relative_to(folder).as_posix(): path for path in _files(folder)}


def _files(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not is_foreign(name):
            yield path


def _items(files: dict[str, Path]) -> list[Item]:
    try:
        return [
            Item(name, path, sha256_file(path), path.stat().st_size) for name, path in sorted(files.items())
        ]
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from error
