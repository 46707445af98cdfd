"""A missing optional package is one line with the command that installs it."""

from __future__ import annotations

import pytest

from cards.errors import InputError
from finetune.utils.optional import require


def test_an_installed_package_passes() -> None:
    require("numpy", "all")


def test_a_missing_package_names_the_extra_to_install() -> None:
    with pytest.raises(InputError, match=r'pip install "\.\[sam2\]"'):
        require("a_package_that_is_not_there", "sam2")
