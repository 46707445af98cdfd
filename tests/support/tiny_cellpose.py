"""A cyto3 network for tests, and comparison of networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from finetune.repositories.registry import Loaded, LoadOptions, load


def load_cyto3(checkpoint: Path | None = None, **changes: Any) -> Loaded:
    arguments: dict[str, Any] = {"in_channels": 1, "out_channels": 3, "options": {}, "checkpoint": checkpoint}
    return load("cellpose", "cyto3", LoadOptions(**arguments | {"pretrained": False} | changes))


def same(first: torch.nn.Module, second: torch.nn.Module, part: str = "") -> bool:
    one, two = first.state_dict(), second.state_dict()
    return all(torch.equal(one[key], two[key]) for key in one if key.startswith(part))
