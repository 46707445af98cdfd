"""A run that nobody changed breaks no claim of its audit."""

from __future__ import annotations

from pathlib import Path

import finetune


def assert_nothing_broken(run: Path, data: Path) -> None:
    """Audit a run with its images, and run its model again.

    Args:
        run: the run folder.
        data: folder of the images.
    """
    claims = finetune.audit(run, data=data, recompute=True)
    assert [claim for claim in claims if claim.verdict == "broken"] == []
    undecided = [claim for claim in claims if "defect of finetune" in claim.remedy]
    assert undecided == []
