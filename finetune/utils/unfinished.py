"""Where a run is until it is complete."""

from __future__ import annotations

import shlex
from pathlib import Path

from cards.errors import ModelError

PARTIAL = ".partial"


def unfinished_folder(run: Path) -> Path:
    """Folder of a run until it is complete.

    Args:
        run: the run folder.

    Returns:
        `<name>.partial` beside it.
    """
    return run.with_name(run.name + PARTIAL)


def refuse_unfinished(run: Path) -> None:
    """Refuse a run folder that does not exist yet, because the run is not complete.

    Args:
        run: the run folder.

    Raises:
        ModelError: if the run is unfinished.
    """
    if run.name and not run.exists() and unfinished_folder(run).is_dir():
        raise ModelError(
            f"{run}: the run is unfinished; continue it with: finetune run --resume {shlex.quote(str(run))}"
        )
