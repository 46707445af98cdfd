"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


def expand_user(path: str | Path) -> Path:
    """Replace `~` and `~user` at the beginning of a path by the home directory.

    Args:
        path: as the user wrote it.

    Returns:
        The path; unchanged if there is no such user, as of a file whose name begins with `~`.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser fails without such a user


def as_utf8(text: str) -> str:
    """Make text that can be stored; file names of Linux need not be UTF-8.

    Args:
        text: such as a path.

    Returns:
        The text, with an escape sequence for each byte that is not UTF-8; equal to `text` if there is none.
    """
    return text.encode("utf-8", "backslashreplace").decode()
