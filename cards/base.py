"""Base classes and types of the record: unknown keys, absolute paths and non-finite numbers are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, HttpUrl, TypeAdapter, ValidationError

from cards.errors import InputError

Split = Literal["train", "validation", "test"]
LabelKind = Literal["instances", "foreground", "boundary"]
TaskName = Literal["automatic", "interactive"]

LOCAL_PATHS = (("data", "root"), ("data", "csv"), ("model", "checkpoint"))
"""Section and key of the local paths in a recipe, of which the record keeps the last part only."""

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def _relative(path: str) -> str:
    """Reject a path outside the run folder: it would reveal a local directory."""
    # Text, not pathlib: a record holds thousands of paths, and pathlib takes most of the time to read it.
    drive = path[1:2] == ":"
    if path.startswith("/") or drive or "\\" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} must be a relative path with forward slashes")
    return path


def _url(source: str) -> str:
    """Reject a source that is not a web address; keep the spelling."""
    try:
        TypeAdapter(HttpUrl).validate_python(source)
    except ValidationError as error:
        raise ValueError(f"{source!r} must be a URL that starts with https:// or http://") from error
    return source


RelativePath = Annotated[str, AfterValidator(_relative)]
Url = Annotated[str, AfterValidator(_url)]


def is_unset(value: object) -> bool:
    """Whether a key that was added to the record later has no value and is left out.

    Records of earlier versions keep their hash in this way: `Field(None, exclude_if=is_unset)`.

    Args:
        value: of the key.

    Returns:
        True for None and False.
    """
    return value is None or value is False


class RecordModel(BaseModel):
    """Base class of all parts of the record.

    Unknown keys are an error, and so are NaN and infinity, which JSON cannot hold.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def read_model(model: type[AnyModel], path: Path, what: str) -> AnyModel:
    """Read a JSON file.

    Args:
        model: what the file holds.
        path: the file.
        what: its content in words, for the error, such as "benchmark".

    Returns:
        The validated content.

    Raises:
        InputError: if the file cannot be read or holds anything else.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path}: no {what}: {where}: {first['msg']}") from error


class Spec(RecordModel):
    """A component by name, with the keyword arguments that rebuild it (target, normalization, …)."""

    model_config = ConfigDict(frozen=True)

    name: str
    options: dict[str, Any] = {}


class NetworkSpec(Spec):
    """A network by repository and name, with the options that rebuild it."""

    repository: str
