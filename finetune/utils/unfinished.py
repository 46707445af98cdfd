"""Where a run is until it is complete."""

from __future__ import annotations

from pathlib import Path

PARTIAL = ".partial"


def unfinished_folder(run: Path) -> Path:
    """Folder of a run until it is complete.

    Args:
        run: the run folder.

    Returns:
        `<name>.partial` beside it.
    """
    return run.with_name(run.name + PARTIAL)
