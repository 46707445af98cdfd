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
    if not is_installed(package):
        raise InputError(
            f'{package} is not installed; install it in a clone of finetune with: pip install ".[{extra}]"'
        )


def is_installed(package: str) -> bool:
    """Whether an optional package can be imported; nothing is imported.

    Args:
        package: import name of the package, such as "onnxruntime".

    Returns:
        True if it is installed.
    """
    return importlib.util.find_spec(package) is not None
