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
