"""A run that nobody changed breaks no claim of its audit."""

from __future__ import annotations

from pathlib import Path

import finetune
from cards.audit.claims import Claim


def assert_nothing_broken(run: Path, data: Path) -> None:
    """Audit a run with its images, and run its model again; then audit its parts as if they were published.

    Args:
        run: the run folder.
        data: folder of the images.
    """
    assert _problems(finetune.audit(run, data=data, recompute=True)) == []
    for part in (run / "huggingface", *(run / "bioimageio").glob("*.zip")):
        assert _problems(finetune.audit(part)) == []


def _problems(claims: list[Claim]) -> list[Claim]:
    return [claim for claim in claims if claim.verdict == "broken" or "defect of finetune" in claim.remedy]
