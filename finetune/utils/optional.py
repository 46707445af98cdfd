"""Optional dependencies: one line that says what to install."""

from __future__ import annotations

import importlib.util

from cards.errors import InputError


def require(package: str, extra: str) -> None:
    """Check that an optional package is installed.

    Args:
        package: import name of the package, such as "sam2".
        extra: name of the extra in pyproject.toml that installs it.

    Raises:
        InputError: if the package is missing, with the command that installs it.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(f'{package} is not installed; install it with: pip install "finetune[{extra}]"')
