"""Versions of finetune: cards that another version wrote are worded differently, and correct all the same."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from cards.fingerprint import renderer_digest
from cards.record import RunRecord


def must_equal(record: RunRecord) -> bool:
    """Whether cards have to equal those that this version of finetune renders from the record.

    Args:
        record: the run.

    Returns:
        True if the code that rendered them is installed. A record without the hash of that code is judged by
        its version, which says nothing about a run from a git checkout.
    """
    where = record.environment
    if where.renderer_sha256 is not None:
        return where.renderer_sha256 == renderer_digest()
    return where.git_commit is None and same_version(record)


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
    return installed_version("finetune") or ""


def installed_version(package: str) -> str | None:
    """Version of a package that a file of a run depends on.

    Args:
        package: its name.

    Returns:
        The version; None if it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None
