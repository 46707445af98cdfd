"""Destinations of a publication by name; any other name is a folder."""

from __future__ import annotations

import difflib
from pathlib import Path

from cards.errors import InputError
from cards.paths import expand_user
from cards.publish import bioimageio, huggingface
from cards.publish.base import Destination
from cards.publish.folder import Folder

NO_FOLDERS = ("hf", "hub", "hugging", "zenodo", "github", "s3")
"""Names that are meant as a destination, not as a folder."""

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
        InputError: if the name is a misspelled key, an address, or the name of another service.
    """
    if name in DESTINATIONS:
        return DESTINATIONS[name]
    plain = name.lower().replace("-", "").replace("_", "").replace(".", "")
    close = difflib.get_close_matches(plain, DESTINATIONS, n=1, cutoff=0.8)
    if close and not Path(name).exists():
        raise InputError(f"--to {name}: did you mean {close[0]}? For a folder of that name, give ./{name}")
    if "://" in name or plain in NO_FOLDERS and not Path(name).exists():
        raise InputError(
            f"--to {name}: unknown; give {', '.join(DESTINATIONS)} or a folder, such as ./{plain}"
        )
    return Folder(expand_user(name))
