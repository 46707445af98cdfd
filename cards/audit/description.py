"""The description of a BioImage.IO package (rdf.yaml), read within limits and without bioimageio.spec."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cards.audit.packages import PackageFiles
from cards.errors import ModelError
from cards.yaml_limits import MAX_BYTES, check_yaml

PLAIN_FILES = ("covers", "documentation", "icon")  # strings without a hash until format 0.5.10


def read_description(package: PackageFiles) -> dict[str, Any]:
    """Read the description of a package.

    Args:
        package: files of the package.

    Returns:
        The parsed YAML.

    Raises:
        ModelError: if it is missing, too large, not UTF-8, or not valid YAML.
    """
    name = package.description
    if name is None:
        raise ModelError(f"{package.path or 'the package'}: there is no rdf.yaml")
    return read_mapping(package.read(name, MAX_BYTES), package.place(name))


def read_mapping(content: bytes, where: str) -> dict[str, Any]:
    """Parse YAML of unknown origin whose top level is a mapping.

    Args:
        content: UTF-8 text.
        where: name of the file for error messages.

    Returns:
        The parsed YAML.

    Raises:
        ModelError: if it exceeds a limit, is not UTF-8 or not valid YAML, or repeats a key.
    """
    return copy.deepcopy(_parse(content, where))


@lru_cache(maxsize=16)
def _parse(content: bytes, where: str) -> dict[str, Any]:
    """Parse and check once what several families of claims read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{where}: not UTF-8 text (byte {error.start})") from error
    check_yaml(text, where, ModelError)
    try:
        parsed = YAML(typ="safe").load(text)
    except (YAMLError, ValueError) as error:
        reason = getattr(error, "problem", None) or str(error)
        raise ModelError(f"{where}: not valid YAML: {' '.join(str(reason).split())[:200]}") from error
    if not isinstance(parsed, dict) or not all(isinstance(key, str) for key in parsed):
        raise ModelError(f"{where}: expected keys and values")
    return parsed


def hashed_files(description: Any) -> Iterator[tuple[str, str | None]]:
    """List the files that a description names as a mapping with `source`, or as plain strings (until 0.5.10).

    Args:
        description: the parsed description, or a part of it.

    Yields:
        File name and SHA-256, which is None if the description states none. Web addresses are left out.
    """
    if isinstance(description, dict):
        source, stated = description.get("source"), description.get("sha256")
        if isinstance(source, str) and "://" not in source:
            yield source, stated if isinstance(stated, str) else None
        for key, value in description.items():
            if key in PLAIN_FILES:
                names = value if isinstance(value, list) else [value]
                yield from ((name, None) for name in names if isinstance(name, str) and "://" not in name)
            if key != "config":
                yield from hashed_files(value)
    elif isinstance(description, list):
        for value in description:
            yield from hashed_files(value)
