"""Versions of finetune: cards that another version wrote are worded differently, and correct all the same."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from cards.record import RunRecord


def must_equal(record: RunRecord, unchanged: bool | None) -> bool:
    """Whether a file has to equal the one that this version of finetune renders from the record.

    Args:
        record: the run.
        unchanged: whether the hash of the file is the recorded one; None if no hash is recorded.

    Returns:
        True if this version wrote the record. Between releases the version stays the same while templates
        change: there, a file that is as its run wrote it may differ.
    """
    released = record.environment.git_commit is None
    return same_version(record) and (released or unchanged is False)


def same_version(record: RunRecord) -> bool:
    """Whether the installed version of finetune wrote the record.

    Args:
        record: the run.

    Returns:
        True if the versions are equal.
    """
    return record.finetune_version == installed()


@cache
def installed() -> str:
    """Version of finetune that audits.

    Returns:
        The version; empty if the packages are used without being installed.
    """
    try:
        return version("finetune")
    except PackageNotFoundError:
        return ""
