"""What a person reads about a recipe that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cards.errors import InputError
from finetune.recipe.reader import read_recipe


def complaint(path: Path, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        read_recipe(path, overrides)
    return str(caught.value)
