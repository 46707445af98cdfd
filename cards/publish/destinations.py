"""Destinations of a publication by name; any other name is a folder."""

from __future__ import annotations

import difflib
from pathlib import Path

from cards.errors import InputError
from cards.paths import expand_user
from cards.publish import bioimageio, huggingface
from cards.publish.base import Destination
from cards.publish.folder import Folder

DESTINATIONS: dict[str, Destination] = {
    "huggingface": huggingface,
    "bioimageio": bioimageio,
}


def find_destination(name: str) -> Destination:
    """Find a destination.

    Args:
        name: key of `DESTINATIONS`, or path of a folder.

    Returns:
        The destination.

    Raises:
        InputError: if the name is a misspelled key.
    """
    if name in DESTINATIONS:
        return DESTINATIONS[name]
    plain = name.lower().replace("-", "").replace("_", "").replace(".", "")
    close = difflib.get_close_matches(plain, DESTINATIONS, n=1, cutoff=0.8)
    if close and not Path(name).exists():
        raise InputError(f"--to {name}: did you mean {close[0]}? For a folder of that name, give ./{name}")
    return Folder(expand_user(name))
