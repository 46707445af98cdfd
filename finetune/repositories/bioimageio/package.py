"""BioImage.IO packages: description and files, of the collection or exported by finetune.

Files are read inside the zip or folder: nothing is unpacked, so nothing is written elsewhere.
"""

from __future__ import annotations

import hashlib
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.bioimageio_people import people_of, with_people, without_accounts
from cards.errors import ModelError
from cards.references import find_doi, find_url
from finetune.repositories.bioimageio.contents import read_contents
from finetune.repositories.bioimageio.messages import on_one_line, quiet

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

TUNABLE = ("torchscript", "pytorch_state_dict")  # the formats that hold weights to train, the safer one first
LICENSE_LETTERS = 100  # of a license file's first line: enough for a name
SHORTEST_HASH = 7  # letters, as git shows


@dataclass(frozen=True)
class Package:
    """A BioImage.IO model package with its validated description.

    Attributes:
        source: path, address or id as the user gave it, for error messages.
        description: valid, in the newest format version.
        sha256: SHA-256 of the description file as found.
        listed: name of the version in the collection, such as "v0", if the package was read by that name.
    """

    source: str
    description: ModelDescr
    sha256: str
    listed: str | None = None

    @property
    def id(self) -> str | None:
        """BioImage.IO id; None if it has none."""
        return str(self.description.id) if self.description.id else None

    @property
    def name(self) -> str:
        """Id, or the title if it has none."""
        return self.id or str(self.description.name)

    @property
    def revision(self) -> str:
        """Version, or the hash of the description if it has none."""
        version = self.description.version
        return str(version) if version is not None else f"sha256:{self.sha256}"

    def has_revision(self, revision: str) -> bool:
        """Whether the package is of a revision.

        Args:
            revision: version of the model, name of the version in the collection, or the first letters (at
                least 7) of the description's SHA-256.

        Returns:
            True if it is.
        """
        letters = revision.removeprefix("sha256:").lower()
        return revision in {str(self.description.version), self.revision, self.listed} or (
            len(letters) >= SHORTEST_HASH and self.sha256.startswith(letters)
        )

    @property
    def formats(self) -> list[str]:
        """Weights formats in the package, e.g. ["onnx", "pytorch_state_dict", "torchscript"]."""
        return [name for name, entry in self.description.weights if entry is not None]

    @property
    def license(self) -> str | None:
        """SPDX id, or the first line of the license file; None if there is neither."""
        license = self.description.license
        if license is None or isinstance(license, str):
            return license
        lines = read_file(self, license)[0].decode("utf-8", "replace").split("\n")
        first = next((line.strip() for line in lines if line.strip()), "")
        return textwrap.shorten(first, LICENSE_LETTERS) or None

    @property
    def citations(self) -> list[str]:
        """Citations, each with its DOI or web address."""
        return [_citation(entry) for entry in self.description.cite]


def read_file(package: Package, file: Any) -> tuple[bytes, str]:
    """Read a file of a package and compare it with its hash in the description.

    Args:
        package: the package.
        file: `FileDescr` of the file in the package's description.

    Returns:
        The content and its SHA-256.

    Raises:
        ModelError: if the file is missing, cannot be read, or does not have the hash in the description.
    """
    from bioimageio.spec.utils import get_reader

    name = Path(str(file.source)).name
    try:
        content = get_reader(file.source).read()
    except Exception as error:  # a damaged zip, and a website that does not answer, fail in many ways
        raise ModelError(f"{package.source}: cannot read {name}: {on_one_line(error)}") from error
    digest = hashlib.sha256(content).hexdigest()
    if file.sha256 is not None and str(file.sha256) != digest:
        raise ModelError(
            f"{package.source}: {name} is damaged or was replaced: its SHA-256 is {digest[:12]}…, "
            f"the description says {str(file.sha256)[:12]}…"
        )
    return content, digest


def read_package(source: str, where: str | Path, check_files: bool = False) -> Package:
    """Read and validate the description of a package. No code of the package is executed.

    Args:
        source: name of the package for error messages.
        where: a zip, a folder, a description file, its web address, or an id of the BioImage.IO collection.
        check_files: whether to compare all files of a local package with their hashes in the description,
            too. Nothing is looked up on the network.

    Returns:
        The package.

    Raises:
        ModelError: if there is no package, or it is not valid.
    """
    from bioimageio.spec import InvalidDescr, ValidationContext, build_description
    from bioimageio.spec.model.v0_5 import ModelDescr

    with quiet():
        try:
            opened = read_contents(source, where)
            context = ValidationContext(
                root=opened.root,
                file_name=opened.file_name,
                original_source_name=str(where),
                perform_io_checks=False,
            )
            description = build_description(opened.content, context=context, format_version="latest")
            if check_files and isinstance(description, ModelDescr):
                # No web address and no GitHub account is looked up: a run must not need the network.
                people = people_of(description)
                urls = dict.fromkeys(
                    text
                    for text in texts(description.model_dump(mode="json"))
                    if text.startswith(("http://", "https://"))
                )
                context = context.replace(perform_io_checks=True, known_files=urls)
                content = without_accounts(opened.content)
                description = build_description(content, context=context, format_version="latest")
                if isinstance(description, ModelDescr):
                    description = with_people(description, *people)
                    if not opened.content.get("covers"):  # bioimageio.spec draws one into a folder of its own
                        _remove_covers(description)
        except ModelError:
            raise
        except Exception as error:  # a damaged zip, or bad YAML, fails in many ways
            raise ModelError(
                f"{source}: cannot be read as a BioImage.IO package: {on_one_line(error)}"
            ) from error
    if isinstance(description, InvalidDescr):
        raise ModelError(
            f"{source}: not a valid BioImage.IO package: {on_one_line(description.get_reason())}"
        )
    if not isinstance(description, ModelDescr):
        raise ModelError(f"{source}: a BioImage.IO {description.type}, not a model in format 0.4 or 0.5")
    return Package(source, description, hashlib.sha256(opened.text.encode()).hexdigest())


def _remove_covers(description: ModelDescr) -> None:
    """Remove covers that are not part of the package, and the temporary folder that holds them."""
    for cover in description.covers:
        path = Path(str(cover.source))
        if path.parent.parent == Path(tempfile.gettempdir()):
            path.unlink(missing_ok=True)
            with suppress(OSError):  # it holds another cover
                path.parent.rmdir()
    description.covers.clear()


def _citation(entry: Any) -> str:
    text = " ".join(entry.text.split())
    if entry.doi and not find_doi(text):
        return f"{text.rstrip('.')}. https://doi.org/{entry.doi}"
    return f"{text.rstrip('.')}. {entry.url}" if entry.url and not find_url(text) and not entry.doi else text


def texts(content: Any) -> Iterator[str]:
    """All texts in nested JSON values; keys are left out.

    Args:
        content: JSON values.

    Yields:
        Each text, in order.
    """
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from texts(list(content.values()))
    elif isinstance(content, list):
        for item in content:
            yield from texts(item)
