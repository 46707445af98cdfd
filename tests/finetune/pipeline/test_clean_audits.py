"""Runs of every repository, audited with their images and run again: no claim is broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_audit import assert_nothing_broken
from tiny_runs import KINDS, make_run, make_starts


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, and what some runs start from."""
    folder = tmp_path_factory.mktemp("starts")
    make_starts(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_claim_of_a_clean_run_is_broken(starts: Path, tmp_path: Path, kind: str) -> None:
    assert_nothing_broken(make_run(starts, kind, tmp_path / "run"), starts / "discs")
