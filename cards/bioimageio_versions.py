"""The lowest version of the BioImage.IO model format that can express a description.

The collection tests and serves models with bioimageio.spec 0.5.10.2, which implements format 0.5.10 and
refuses newer ones. `bioimageio.spec.save_bioimageio_package` writes the newest version that it knows, so
`lower_package` rewrites the description in a package.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

DESCRIPTION = "rdf.yaml"

# Older readers gain nothing from a lower version: every release of bioimageio.spec before 0.5.10.2 that reads
# 0.5.x lacks post-processing that finetune writes, and the collection runs 0.5.10.2.
LOWEST = "0.5.10"
PLAIN_FILES_UNTIL = "0.5.10"


def _free_channel_names(content: Mapping[str, Any]) -> bool:
    return any(not str(name).isidentifier() for axis in _axes(content) for name in axis["channel_names"])


def _chained_input(content: Mapping[str, Any]) -> bool:
    return any(tensor.get("output_of") for tensor in content.get("inputs", ()))


# Version that introduced a feature, the feature, and whether a description uses it. Source: comparison of
# bioimageio/spec/model/v0_5.py of bioimageio.spec 0.5.10.2 and 0.5.12.0. Between the two, `covers`,
# `documentation` and `icon` also changed from plain strings to files with a hash, see `_plain_files`.
FEATURES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("0.5.12", "channel names that are not identifiers", _free_channel_names),
    ("0.5.12", "an input that is the output of another model", _chained_input),
)


def lowest_version(content: Mapping[str, Any]) -> str:
    """Lowest sufficient format version of a description.

    Args:
        content: of `rdf.yaml`, in format 0.5.10 or newer.

    Returns:
        The version, e.g. "0.5.10".
    """
    needed = [version for version, _, used in FEATURES if used(content)]
    return max([LOWEST, *needed], key=_numbers)


def lower_package(package: Path) -> str:
    """Rewrite the description of a package in the lowest sufficient format version; other files stay.

    Args:
        package: a zip that `save_bioimageio_package` wrote.

    Returns:
        The format version.

    Raises:
        OSError: if the file cannot be written.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    with zipfile.ZipFile(package) as archive:
        files = {entry: archive.read(entry) for entry in archive.infolist()}
    for entry, text in files.items():
        if entry.filename == DESCRIPTION:
            content = yaml.load(text.decode("utf-8"))
            version = lowest_version(content)
            if _numbers(version) <= _numbers(PLAIN_FILES_UNTIL):
                _plain_files(content)
            content["format_version"] = version
            written = io.StringIO()
            yaml.dump(content, written)
            files[entry] = written.getvalue().encode("utf-8")
    with zipfile.ZipFile(package, "w") as archive:
        for entry, text in files.items():
            archive.writestr(entry, text, compress_type=entry.compress_type)
    return version


def _plain_files(content: dict[str, Any]) -> None:
    """Give covers, documentation and icon as plain strings, without hashes, as until 0.5.10."""
    if content.get("covers"):
        content["covers"] = [_source(file) for file in content["covers"]]
    for key in ("documentation", "icon"):
        if content.get(key):
            content[key] = _source(content[key])


def _source(file: Any) -> str:
    return str(file["source"]) if isinstance(file, Mapping) else str(file)


def _axes(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for tensor in (*content.get("inputs", ()), *content.get("outputs", ())):
        for axis in tensor.get("axes", ()):
            if isinstance(axis, Mapping) and isinstance(axis.get("channel_names"), list):
                yield axis


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
