"""An export format: the weights as `weights.npz`, one array per parameter."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune.export.base import ExportInput, ReloadedExport

OUTPUT = "npz/"


def supports(model: Any) -> str | None:
    return None  # every model has weights


def write(export: ExportInput, folder: Path) -> list[str]:
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    state = export.model.network.state_dict()
    np.savez(folder / "weights.npz", **{name: value.cpu().numpy() for name, value in state.items()})
    return []


def reload(folder: Path, model: Any) -> Iterator[ReloadedExport]:
    import numpy as np
    import torch

    for path in folder.glob("*.npz"):
        network = copy.deepcopy(model.network)
        with np.load(path) as arrays:
            network.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays.files})
        yield ReloadedExport(path, "NumPy arrays", "finetune_example", replace(model, network=network))
