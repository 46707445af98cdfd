"""Read files of the model under audit: regular files of limited size, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from cards.audit.claims import Subject
from cards.audit.packages import MAX_TEXT
from cards.audit.values import repeated
from cards.errors import ModelError


def read_bytes(subject: Subject, name: str) -> bytes:
    """Read a small file of the model.

    Args:
        subject: the model under audit.
        name: path in its folder.

    Returns:
        The content.

    Raises:
        ModelError: if it is missing, too large, or not a regular file, which could block forever.
    """
    path = subject.folder / name
    if not path.is_file():
        raise ModelError(f"{name} is missing" if not path.exists() else f"{name} is not a regular file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TEXT + 1)
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_TEXT:
        raise ModelError(f"{name}: larger than {MAX_TEXT // 2**20} MB")
    return content


def read_json(subject: Subject, name: str) -> Any:
    """Read a JSON file of the model.

    Args:
        subject: the model under audit.
        name: path in its folder.

    Returns:
        The content.

    Raises:
        ModelError: as `read_bytes`, and if it is not valid JSON or repeats a key.
    """
    content = read_bytes(subject, name)
    try:
        return json.loads(content, object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name}: not valid JSON: {error}") from error


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if names := repeated(name for name, _ in pairs):
        raise ValueError(f"{names[0]} occurs more than once in one object")
    return dict(pairs)


def read_text(subject: Subject, name: str) -> str:
    """Read a text file of the model.

    Args:
        subject: the model under audit.
        name: path in its folder.

    Returns:
        The text.

    Raises:
        ModelError: as `read_bytes`, and if it is not UTF-8.
    """
    try:
        return read_bytes(subject, name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{name}: not UTF-8 text (byte {error.start})") from error
