"""Table of runs: one row a run; a record that cannot be read is a row that says why."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np

from cards import formatting as words
from cards.errors import InputError
from cards.metrics import PRIMARY
from cards.reading import NAME as RECORD
from cards.reading import find_record
from cards.record import RunRecord
from cards.scores import Stage
from finetune.viewer.library import Item, Library
from finetune.viewer.progress import progress_in_words, read_progress

COMPLETE = "complete"
NOT_AUDITED = "not audited"


class Row(TypedDict):
    """Cells of a run. Figures are None where nothing was measured."""

    run: str
    state: str
    recipe: str
    model: str
    data: str
    images: int | None
    before: float | None
    before_interval: str
    after: float | None
    after_interval: str
    minutes: float | None
    milliseconds: float | None
    megabytes: float | None
    created: str
    audit: str


_EMPTY: Row = {
    "run": "", "state": COMPLETE, "recipe": "", "model": "", "data": "", "images": None,
    "before": None, "before_interval": "", "after": None, "after_interval": "",
    "minutes": None, "milliseconds": None, "megabytes": None,
    "created": "", "audit": NOT_AUDITED,
}  # fmt: skip


def read_rows(library: Library) -> list[Row]:
    """Read all runs.

    Args:
        library: the items of the page.

    Returns:
        One row a run, by name.
    """
    return [_row(library, item) for item in library.of("run")]


def read_run(library: Library, key: str) -> RunRecord:
    """Read the record of a run.

    Args:
        library: the items of the page.
        key: key of the run.

    Returns:
        The record; read again only if the file changed.

    Raises:
        InputError: if there is no record, or it cannot be read.
    """
    return _read(_current(library, library.get(key, "run")))


class _Version(NamedTuple):
    """A record file as it is now."""

    path: Path
    modified: int
    size: int


def _current(library: Library, item: Item) -> _Version:
    file = item.path / RECORD if item.path.is_dir() else item.path
    if not file.exists():
        library.check(item.path)
        raise InputError(f"{item.key}: {progress_in_words(read_progress(item.path))}")
    library.check(file)
    facts = file.stat()
    return _Version(file, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=32)  # a record of 500 images takes over 1 MB of memory
def _read(version: _Version) -> RunRecord:
    return find_record(version.path)


def _row(library: Library, item: Item) -> Row:
    try:
        return {**_complete(_current(library, item)), "run": item.key}
    except InputError as error:
        reason = str(error).removeprefix(f"{item.path / RECORD}: ").removeprefix(f"{item.key}: ")
        return {**_EMPTY, "run": item.key, "state": reason, "audit": ""}


@lru_cache(maxsize=4096)
def _complete(version: _Version) -> Row:
    """Row of a run that has a record, without the key of the run."""
    record = find_record(version.path)
    accuracy, timing = record.accuracy, record.timing
    before = accuracy.before if accuracy else None
    after = accuracy.after if accuracy else None
    return {
        **_EMPTY,
        "recipe": str(record.recipe.get("name") or record.name),
        "model": f"{record.model.base.id} × {record.model.target.name}",
        "data": record.data.id,
        "images": accuracy.images if accuracy else None,
        "before": _mean(before),
        "before_interval": interval(before)
        or (accuracy.before_note if accuracy and not before else "")
        or words.NOT_MEASURED,
        "after": _mean(after),
        "after_interval": interval(after) or words.NOT_MEASURED,
        "minutes": record.training.seconds / 60,
        "milliseconds": 1000 * timing.median_seconds if timing else None,
        "megabytes": sum(file.bytes for file in record.files) / 1e6 if record.files else None,
        "created": record.created[:16].replace("T", " "),
    }


def _mean(stage: Stage | None) -> float | None:
    return stage.summary[PRIMARY].mean if stage and PRIMARY in stage.summary else None


def interval(stage: Stage | None) -> str | None:
    """95 % confidence interval of the mean Dice over images.

    It is Student's interval, mean ± t · s / √n with n − 1 degrees of freedom: computed at once for hundreds
    of runs, where a bootstrap takes seconds.

    Args:
        stage: scores of the test images; None if they were not measured.

    Returns:
        Such as "0.9211 to 0.9433"; None with fewer than two images.
    """
    values = [score.metrics[PRIMARY] for score in stage.scores if PRIMARY in score.metrics] if stage else []
    if len(values) < 2:
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, 0.975)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    mean = float(np.mean(values))
    return f"{max(0.0, mean - half):.4f} to {min(1.0, mean + half):.4f}"


def audit_run(library: Library, key: str) -> str:
    """Audit a run without running its model.

    Args:
        library: the items of the page.
        key: key of the run.

    Returns:
        One sentence, such as "65 claims: 61 hold, 0 are broken, 4 cannot be decided."
    """
    from cards.audit.report import summary
    from finetune.pipeline.audit import audit

    try:
        return summary(audit(library.get(key, "run").path))
    except InputError as error:
        return f"cannot be audited: {error}"
