"""A model on the test Hub, what became of it in the cache, and what is said if it cannot be had."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from cards.errors import InputError
from finetune.downloads.hub import fetch

REPO = "someone/nuclei"
WEIGHTS = random.Random(0).randbytes(100_000)
FILES = {"weights.pt": WEIGHTS, "config.json": b"{}", "more/notes.txt": b"hello"}


def problem(*arguments: Any, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        fetch(*arguments, **options)
    text = str(raised.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def cached(hub) -> list[Path]:
    """Files in the cache that hold weights, or a part of them."""
    home = Path(os.environ["HF_HOME"])
    return [path for path in home.rglob("*") if path.is_file() and path.stat().st_size > 1000]
