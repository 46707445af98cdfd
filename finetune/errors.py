"""What to say when a name is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cards.errors import InputError


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among the known ones, with those nearest to it.

    Args:
        what: what the name should have named, e.g. "target".
        name: the name that was given.
        known: the names that would have been right.
    """
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=2)
    if near:
        return InputError(f"unknown {what} '{name}'; did you mean {' or '.join(near)}?")
    return InputError(f"unknown {what} '{name}'; known: {', '.join(known) or 'none'}")
