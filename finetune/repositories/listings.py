"""Answers of servers, stored with their date: lists of models, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.downloads.archive import cache_folder
from finetune.repositories.base import ModelInfo
from finetune.repositories.counts import Row
from finetune.utils.atomic import disk_errors, write_file

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True)
class StoredModels:
    """Models of a repository, as its server listed them.

    Attributes:
        models: their descriptions.
        asked: day of the answer; None if the server has never been asked.
    """

    models: tuple[ModelInfo, ...] = ()
    asked: date | None = None


@dataclass(frozen=True)
class StoredCounts:
    """Numbers of models of a repository, as its server stated them.

    Attributes:
        row: number of models by kind.
        asked: day of the answer; None if the server has never been asked.
    """

    row: Row = field(default_factory=dict)
    asked: date | None = None


def stored_models(repository: str) -> StoredModels:
    """Read the stored list of models.

    Args:
        repository: a key of `REPOSITORIES`.

    Returns:
        The list; an empty one if there is none, or this version cannot read it.
    """
    return _read(_path(repository, "models"), StoredModels) or StoredModels()


def store_models(repository: str, models: list[ModelInfo]) -> StoredModels:
    """Store a list of models with the date of today.

    Args:
        repository: a key of `REPOSITORIES`.
        models: as the server listed them.

    Returns:
        The list with its date.

    Raises:
        InputError: if the cache cannot be written.
    """
    stored = StoredModels(tuple(models), _today())
    _write(_path(repository, "models"), stored)
    return stored


def stored_counts(repository: str) -> StoredCounts:
    """Read the stored numbers of models.

    Args:
        repository: a key of `REPOSITORIES`.

    Returns:
        The numbers; none if there are none, or this version cannot read them.
    """
    return _read(_path(repository, "counts"), StoredCounts) or StoredCounts()


def store_counts(repository: str, row: Row) -> None:
    """Store numbers of models with the date of today.

    Args:
        repository: a key of `REPOSITORIES`.
        row: number of models by kind.

    Raises:
        InputError: if the cache cannot be written.
    """
    _write(_path(repository, "counts"), StoredCounts(row, _today()))


def _path(repository: str, what: str) -> Path:
    return cache_folder() / "catalog" / f"{repository}-{what}.json"


def _today() -> date:
    return datetime.now(UTC).date()


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _read(path: Path, kind: type) -> Any:
    try:
        content = path.read_bytes()
        return _adapter(kind).validate_json(content)
    except (OSError, ValueError):  # not there, or of another version of finetune
        return None


def _write(path: Path, content: StoredModels | StoredCounts) -> None:
    kind: type = type(content)
    with disk_errors(path, "set FINETUNE_CACHE to another folder"):
        write_file(path, _adapter(kind).dump_json(content))
