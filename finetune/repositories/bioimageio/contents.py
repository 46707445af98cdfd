"""Description and files of a package, checked before bioimageio.spec reads them.

A package is written by a stranger. Its description may be too large, its aliases may expand to gigabytes,
its archive may contain links, and its file sources may name local files. All of this is refused here, in one
line.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from cards.archives import check_members
from cards.errors import ModelError
from cards.yaml_limits import MAX_BYTES, check_yaml, read_limited

# Keys of format 0.4 and 0.5 whose values name files.
FILE_KEYS = frozenset(
    (
        *("source", "test_tensor", "sample_tensor", "external_data", "documentation", "covers", "icon"),
        *("attachments", "architecture", "dependencies"),
        *("test_inputs", "test_outputs", "sample_inputs", "sample_outputs"),
    )
)
# Sections whose files are read. Others, such as documentation, may refer to the web: nothing is fetched.
READ = frozenset(("weights", "license", "inputs", "outputs", "test_inputs", "test_outputs"))


@dataclass(frozen=True)
class Contents:
    """The description of a package and the place of its files.

    Attributes:
        content: the parsed description.
        text: the description as it is stored.
        root: folder, open archive or URL that relative file names refer to.
        file_name: name of the description.
    """

    content: dict[str, Any]
    text: str
    root: Any
    file_name: str


def read_contents(source: str, where: str | Path) -> Contents:
    """Read the description of a package within limits. No file that it names is opened.

    Args:
        source: name of the package for error messages.
        where: a zip, a folder, a description file, a URL or an id of the BioImage.IO collection.

    Returns:
        The description.

    Raises:
        ModelError: if the description or the archive exceeds a limit, or names a file outside the package.
        Exception: if the package cannot be read; of many types.
    """
    from bioimageio.spec.utils import read_yaml

    text, root, file_name, web = _open(source, where)
    check_yaml(text, f"{source}: {file_name}", ModelError)
    content: Any = read_yaml(text)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ModelError(f"{source}: {file_name} is not the description of a BioImage.IO package")
    for section, value in content.items():
        if section != "config":  # any values, never read as files
            for name in _files(value, section in FILE_KEYS):
                _check_name(source, section, name, root, web=web)
    return Contents(content, text, root, file_name)


def _open(source: str, where: str | Path) -> tuple[str, Any, str, bool]:
    """Text of the description, root, file name, and whether the package is on the web."""
    from bioimageio.spec.utils import (
        get_reader,
        identify_bioimageio_yaml_file_name,
        interprete_file_source,
        open_bioimageio_yaml,
    )

    path = Path(where)
    if path.is_dir():
        name = identify_bioimageio_yaml_file_name([item.name for item in path.iterdir()])
        _check_name(source, "description", name, path, web=False)
        path = path / name
    if path.exists():
        if zipfile.is_zipfile(path) or path.suffix == ".zip":
            return *_open_zip(source, zipfile.ZipFile(path), path.stat().st_size), False
        content = read_limited(path, "the description of a model", ModelError)
        return content.decode("utf-8"), path.parent, path.name, False
    if "://" not in str(where):  # an id: the collection's own service finds the description
        opened = open_bioimageio_yaml(str(where))
        return opened.unparsed_content, opened.original_root, opened.original_file_name, True
    url: Any = interprete_file_source(str(where))
    reader = get_reader(url)
    if reader.is_zipfile:
        size = reader.seek(0, 2)
        reader.seek(0)
        return *_open_zip(source, zipfile.ZipFile(reader), size), True
    content = reader.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ModelError(f"{source}: larger than {MAX_BYTES // 2**20} MB, too large for a description")
    return content.decode("utf-8"), url.parent, str(url.path).rsplit("/", 1)[-1], True


def _open_zip(source: str, archive: zipfile.ZipFile, size: int) -> tuple[str, zipfile.ZipFile, str]:
    """Check the members of an archive and read its description."""
    from bioimageio.spec.utils import identify_bioimageio_yaml_file_name

    check_members(archive, size, source)
    name = identify_bioimageio_yaml_file_name(archive.namelist())
    if archive.getinfo(name).file_size > MAX_BYTES:
        raise ModelError(
            f"{source}: {name} is larger than {MAX_BYTES // 2**20} MB, too large for a description"
        )
    return archive.read(name).decode("utf-8"), archive, name


def _files(value: Any, named: bool) -> Iterator[str]:
    """Texts below keys that name files."""
    if isinstance(value, str):
        if named:
            yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _files(item, named or key in FILE_KEYS)
    elif isinstance(value, list):
        for item in value:
            yield from _files(item, named)


def _check_name(source: str, section: str, name: str, root: Any, *, web: bool) -> None:
    """Refuse a file source that is not a name inside the package."""
    if name.lower().startswith(("http://", "https://")):
        if section in READ and not web:
            raise ModelError(
                f"{source}: {section}: {name[:200]} is on the web; the files of a local package are inside it"
            )
        return
    inside = name.removeprefix("conda:").removeprefix("pip:").replace("\\", "/")
    parts = PurePosixPath(inside)
    if (
        parts.is_absolute()
        or ".." in parts.parts
        or inside.startswith(("~", "file:"))
        or PureWindowsPath(inside).drive
        or (isinstance(root, Path) and _leads_out(root, inside))
    ):
        raise ModelError(f"{source}: {section}: {name[:200]} is a file outside the package; it is not read")


def _leads_out(root: Path, name: str) -> bool:
    try:
        return not (root / name).resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):  # a text that is no file name
        return False
