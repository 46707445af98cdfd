"""BioImage.IO packages of the model under audit: zips in a run, unpacked folders elsewhere."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from cards.archives import DAMAGED, check_members
from cards.audit.claims import Subject
from cards.audit.hashing import sha256_of
from cards.errors import ModelError, reason_of

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
HUB_PACKAGE = "package"  # folder of the unpacked package in a repository on Hugging Face
MAX_TEXT = 64 * 2**20  # bytes; records of large data sets have some MB


@dataclass(frozen=True)
class PackageFiles:
    """Files of one package, read without unpacking it.

    Attributes:
        path: of the package in the folder under audit; empty if that folder is the package.
        root: the zip or the folder.
        names: of all files, relative to the root, sorted.
    """

    path: str
    root: Path
    names: tuple[str, ...]

    @property
    def description(self) -> str | None:
        """Name of the file with the description; None if there is none."""
        return next((name for name in DESCRIPTIONS if name in self.names), None)

    def place(self, name: str) -> str:
        """Name of a file as a reader finds it, e.g. "bioimageio/model.zip/rdf.yaml".

        Args:
            name: of a file of the package.

        Returns:
            Path in the folder under audit.
        """
        return f"{self.path}/{name}" if self.path else name

    def sha256(self, name: str) -> str:
        """Hash one file.

        Args:
            name: one of `names`.

        Returns:
            64 hexadecimal digits.

        Raises:
            ModelError: if the file is missing or damaged.
        """
        try:
            if self.root.is_dir():
                return sha256_of(self.root / name)
            with zipfile.ZipFile(self.root) as archive, archive.open(name) as member:
                return hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
        except (KeyError, OSError, *DAMAGED) as error:
            raise ModelError(f"{self.place(name)}: cannot be read: {reason_of(error)}") from error

    def read(self, name: str, limit: int = MAX_TEXT) -> bytes:
        """Read one file.

        Args:
            name: one of `names`.
            limit: largest size in bytes.

        Returns:
            The content.

        Raises:
            ModelError: if the file is larger, missing or damaged.
        """
        try:
            if self.root.is_dir():
                with (self.root / name).open("rb") as file:
                    content = file.read(limit + 1)
            else:
                with zipfile.ZipFile(self.root) as archive, archive.open(name) as member:
                    content = member.read(limit + 1)
        except KeyError as error:
            raise ModelError(f"{self.place(name)}: no such file") from error
        except (OSError, *DAMAGED) as error:
            raise ModelError(f"{self.place(name)}: cannot be read: {reason_of(error)}") from error
        if len(content) > limit:
            raise ModelError(f"{self.place(name)}: larger than {limit // 2**20} MB")
        return content


def packages(subject: Subject) -> list[PackageFiles]:
    """Find the packages of a model.

    Args:
        subject: the model under audit.

    Returns:
        The zips of a run, the folder `package` of a published repository, or the folder itself. Zips that
        cannot be opened are left out; see `unreadable_packages`.
    """
    if subject.kind == "package":
        return [_folder(subject.folder, "")]
    if subject.kind == "hub":
        inside = subject.folder / HUB_PACKAGE
        return [_folder(inside, HUB_PACKAGE)] if inside.is_dir() else []
    return [found for found in _archives(subject).values() if isinstance(found, PackageFiles)]


def unreadable_packages(subject: Subject) -> dict[str, ModelError]:
    """Find the zips of a run that are damaged, too large or unsafe.

    Args:
        subject: the model under audit.

    Returns:
        What is wrong with each, by path in the folder.
    """
    if subject.kind != "run":
        return {}
    return {path: found for path, found in _archives(subject).items() if isinstance(found, ModelError)}


def _archives(subject: Subject) -> dict[str, PackageFiles | ModelError]:
    found: dict[str, PackageFiles | ModelError] = {}
    for root in sorted((subject.folder / "bioimageio").glob("*.zip")):
        path = root.relative_to(subject.folder).as_posix()
        try:
            found[path] = _archive(root, path)
        except ModelError as error:
            found[path] = error
    return found


def _folder(root: Path, path: str) -> PackageFiles:
    names = (item.relative_to(root).as_posix() for item in root.rglob("*") if item.is_file())
    return PackageFiles(path, root, tuple(sorted(names)))


def _archive(root: Path, path: str) -> PackageFiles:
    try:
        with zipfile.ZipFile(root) as archive:
            check_members(archive, root.stat().st_size, path)
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
    except zipfile.BadZipFile as error:
        raise ModelError(f"{path}: not a complete zip archive: {error}") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    return PackageFiles(path, root, tuple(sorted(names)))
