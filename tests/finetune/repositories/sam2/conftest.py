"""Weights of SAM2 that several test files load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sam2.build_sam import build_sam2


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file as SAM2 publishes them, of random weights."""
    torch.manual_seed(9)
    path = tmp_path_factory.mktemp("published") / "sam2.1_hiera_tiny.pt"
    network = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu")
    torch.save({"model": network.state_dict()}, path)
    yield path
    path.unlink()
