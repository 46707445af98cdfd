"""Open the model under audit: a run folder, a published folder, or a BioImage.IO package."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cards.archives import unpack
from cards.audit.claims import Subject, Tools
from cards.audit.packages import DESCRIPTIONS, MAX_TEXT
from cards.errors import InputError, ModelError, reason_of
from cards.record import RunRecord

if TYPE_CHECKING:
    from cards.provenance.trust import TrustRoot

RECORD = "record.json"
HUB_FILES = ("config.json", "model.safetensors", "adapter_model.safetensors", "README.md", RECORD)
RUN_FILES = ("recipe.yaml", "checkpoints", "scores.csv", "report.html")
NO_RECORD = f"there is no {RECORD}, with which the card could be compared"
DEFAULT_TOOLS = Tools()


@contextmanager
def open_subject(
    source: Path,
    *,
    name: str | None = None,
    data: Path | None = None,
    tools: Tools = DEFAULT_TOOLS,
    trust: TrustRoot | None = None,
    scratch: Callable[[], AbstractContextManager[str]] = tempfile.TemporaryDirectory,
) -> Iterator[Subject]:
    """Open a model for an audit. Nothing in it is executed, and nothing is written to it.

    Args:
        source: a run folder, its `huggingface` folder or a copy of that, the folder of a published
            repository, or a BioImage.IO package as a zip or a folder.
        name: what the user named, if it is not the path: the id of a repository.
        data: the folder with the images of the record.
        tools: functions that need a deep-learning framework or image readers.
        trust: whose signature is accepted.
        scratch: makes the temporary folder into which a zip is unpacked.

    Yields:
        The model. It can be used until the context is left.

    Raises:
        ModelError: if there is no model, or the archive is damaged, too large or unsafe.
    """
    shown = name or str(source)
    if source.is_file() and source.name in DESCRIPTIONS:
        source = source.parent
    if source.is_dir():
        yield _subject(shown, _kind(source, shown), source, data, tools, trust)
    elif source.suffix.lower() == ".zip" and source.is_file():
        with scratch() as temporary:
            folder = Path(temporary) / "package"
            folder.mkdir()
            unpack(source, folder, shown)
            if not any((folder / file).is_file() for file in DESCRIPTIONS):
                raise ModelError(f"{shown}: not a BioImage.IO package: there is no {DESCRIPTIONS[0]} in it")
            yield _subject(shown, "package", folder, data, tools, trust)
    elif source.exists():
        raise ModelError(f"{shown}: is a file; give a run folder, its huggingface folder or a package.zip")
    else:
        raise ModelError(f"{shown}: no such folder or file")


def _subject(
    shown: str,
    kind: Literal["run", "hub", "package"],
    folder: Path,
    data: Path | None,
    tools: Tools,
    trust: TrustRoot | None,
) -> Subject:
    record, error = _read_record(folder)
    return Subject(shown, kind, folder, record, error, data, tools, trust)


def _kind(folder: Path, shown: str) -> Literal["run", "hub", "package"]:
    """Decide by the files in a folder what it is."""
    if (folder / "huggingface").is_dir():
        return "run"
    if any((folder / name).is_file() for name in DESCRIPTIONS):
        return "package"
    if (folder / RECORD).exists() and any((folder / name).exists() for name in RUN_FILES):
        return "run"
    if any((folder / name).exists() for name in HUB_FILES):
        return "hub"
    raise ModelError(f"{shown}: there is no model in this folder: neither {RECORD} nor weights nor a card")


def _read_record(folder: Path) -> tuple[RunRecord | None, str]:
    """The record, or the reason why there is none, without the path of the folder."""
    path = folder / RECORD
    if not path.is_file():
        return None, NO_RECORD
    if not path.resolve().is_relative_to(folder.resolve()):
        return None, f"{RECORD} is a link to a file outside the folder; it is not read"
    try:
        if path.stat().st_size > MAX_TEXT:
            return None, f"{RECORD}: larger than {MAX_TEXT // 2**20} MB"
        return RunRecord.read(path), ""
    except InputError as error:
        return None, str(error).replace(str(path), RECORD)
    except (OSError, ValueError, RecursionError) as error:
        return None, f"{RECORD}: cannot be read: {reason_of(error)}"
