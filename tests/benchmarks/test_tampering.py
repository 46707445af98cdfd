"""Each tamper with a finished run breaks a claim of the right family; an untouched run breaks none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, BENCHMARKS)
try:
    import tampering
    from tamper_cases.kinds import QUICK, RECOMPUTE
finally:
    sys.path.remove(BENCHMARKS)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that starts from another one, its images and a key; never changed."""
    return tampering.make_original(tmp_path_factory.mktemp("tampering") / "original")


def tamper(original: Path, tmp_path: Path, case: tuple[str, Any], *, recompute: bool = False) -> str:
    """Change a copy; the evidence of a broken claim of the expected family."""
    family, change = case
    place = tampering.copy_of(original, tmp_path / "copy")
    change(place)
    return tampering.broken(tampering.audit(place, recompute=recompute), family)


def test_no_claim_of_an_untouched_run_is_broken(original: Path, tmp_path: Path) -> None:
    claims = tampering.audit(tampering.copy_of(original, tmp_path / "copy"), recompute=True)
    assert [claim for claim in claims if claim.verdict == "broken"] == []
    families = {claim.family for claim in claims if claim.verdict == "holds"}
    assert families >= {"files", "card", "weights", "data", "leakage", "accuracy", "lineage"}


FIRST_OF_EACH_FAMILY = {family: name for name, (family, _) in reversed(QUICK.items())}.values()
"""The other kinds are slow tests; tests/cards/audit has a quick one for most of what they change."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FIRST_OF_EACH_FAMILY else pytest.mark.slow) for name in QUICK],
)
def test_the_right_claim_is_broken(original: Path, tmp_path: Path, name: str) -> None:
    assert tamper(original, tmp_path, QUICK[name])


@pytest.mark.parametrize("name", RECOMPUTE)
def test_running_the_model_again_shows_it(original: Path, tmp_path: Path, name: str) -> None:
    assert tamper(original, tmp_path, RECOMPUTE[name], recompute=True)


def test_more_than_forty_kinds_are_tried() -> None:
    assert len(QUICK) + len(RECOMPUTE) >= 40


def test_images_saved_again_in_another_format_are_the_same(original: Path, tmp_path: Path) -> None:
    import tifffile
    from PIL import Image

    place = tampering.copy_of(original, tmp_path / "copy")
    for path in sorted(place.data.rglob("*.tif")):
        Image.fromarray(tifffile.imread(path)).save(path.with_suffix(".png"))
        path.unlink()
    claims = tampering.audit(place, recompute=False)
    assert not tampering.broken(claims, "data")
    assert not tampering.broken(claims, "leakage")
