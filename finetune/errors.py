"""Error classes, and the error for an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cards.errors import DataError, DownloadError, InputError, ModelError, RecipeError

__all__ = ["DataError", "DownloadError", "InputError", "ModelError", "RecipeError", "unknown"]


def unknown(what: str, name: str, known: Iterable[str], kind: type[InputError] = RecipeError) -> InputError:
    """Create the error for an unknown name, with the most similar known names.

    Args:
        what: noun for the name, e.g. "target".
        name: the unknown name.
        known: valid names.
        kind: class of the error.

    Returns:
        The error, to be raised by the caller.
    """
    known = list(known)
    similar = difflib.get_close_matches(str(name), known, n=2)
    if similar:
        return kind(f"unknown {what} '{name}'; did you mean {' or '.join(similar)}?")
    return kind(f"unknown {what} '{name}'; known: {', '.join(known) or 'none'}")
