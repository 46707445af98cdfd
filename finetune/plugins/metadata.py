"""What all descriptions state about finetune itself: version, author, container and addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import metadata, version

from finetune.plugins.definition import Plugin

PACKAGE = "finetune"
ORGANIZATION = "wipp"
UNKNOWN_ADDRESS = "https://example.org/finetune"
"""Address of the source code where a format requires one and none is known (RFC 2606 reserves the domain)."""


@dataclass(frozen=True)
class About:
    """What a description states besides the plugin.

    Attributes:
        version: X.Y.Z.
        author: of finetune.
        repository: address of the source code; None if it is not known.
    """

    version: str
    author: str
    repository: str | None = None


def about(repository: str | None = None) -> About:
    """Read the metadata of the installed package.

    Args:
        repository: address of the source code, such as that of a fork.

    Returns:
        Version, author and address.
    """
    found = re.match(r"\d+\.\d+\.\d+", version(PACKAGE))
    stated = metadata(PACKAGE)
    authors = stated.get_all("Author") or [PACKAGE]
    return About(found[0] if found else "0.0.0", ", ".join(authors), repository)


def image(plugin: Plugin) -> str:
    """Name of a plugin's container image.

    Args:
        plugin: the plugin.

    Returns:
        The name without organization and tag.
    """
    return f"wipp-{plugin.name}-plugin"


def container(plugin: Plugin, of: About) -> str:
    """Reference of a plugin's container image.

    Args:
        plugin: the plugin.
        of: version.

    Returns:
        `wipp/wipp-NAME-plugin:X.Y.Z`.
    """
    return f"{ORGANIZATION}/{image(plugin)}:{of.version}"


def command(plugin: Plugin) -> list[str]:
    """Command that runs a plugin; parameters follow.

    Args:
        plugin: the plugin.

    Returns:
        Its words.
    """
    return [PACKAGE, "plugin", "run", plugin.name]
