"""Versions of a published model: X.Y.Z, a tag of that name and a branch vX.Y.Z."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cards.errors import InputError

FIRST = "1.0.0"
VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def parse_version(tag: str) -> str:
    """Check a version given by the user.

    Args:
        tag: such as "1.0.0" or "v1.0.0".

    Returns:
        The version without a leading "v".

    Raises:
        InputError: if it does not have the form X.Y.Z.
    """
    if not VERSION.fullmatch(tag):
        raise InputError(f"--tag {tag}: a version has the form X.Y.Z, such as {FIRST}")
    return tag.removeprefix("v")


def newest(tags: Iterable[str]) -> str | None:
    """Find the newest version among tags.

    Args:
        tags: names of tags; those that are no versions are ignored.

    Returns:
        The tag as it is spelled; None if there is none.
    """
    versions = {tag: tuple(map(int, found.groups())) for tag in tags if (found := VERSION.fullmatch(tag))}
    return max(versions, key=versions.__getitem__, default=None)


def following(version: str) -> str:
    """Next minor version, to suggest after a version that is taken.

    Args:
        version: such as "1.0.0".

    Returns:
        Such as "1.1.0".
    """
    major, minor, _ = parse_version(version).split(".")
    return f"{major}.{int(minor) + 1}.0"
