"""A folder with downloaded models and data sets, for computers without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ValidationError, field_validator

from cards.errors import InputError, ModelError
from cards.fingerprint import sha256_file
from cards.paths import expand_user
from finetune.data.datasets import fetch, named
from finetune.recipe.library import find_recipe, recipe_folder
from finetune.repositories.capabilities import FetchesWeights
from finetune.repositories.catalog import find_model
from finetune.repositories.registry import REPOSITORIES
from finetune.utils.atomic import disk_errors, write_file
from finetune.utils.offline import INDEX, use_folder

HINT = "choose another folder with --to"


class StoredFile(BaseModel):
    """Size and hash of a file."""

    bytes: int
    sha256: str


class Wanted(BaseModel):
    """A model or a data set to download.

    Attributes:
        id: "repository:name", or the id of the data set.
        kind: model or data.
        revision: of the model; the latest if None.
    """

    id: str
    kind: Literal["model", "data"]
    revision: str | None = None


class Entry(BaseModel):
    """A model or a data set in the folder.

    Attributes:
        id: "repository:name", or the id of the data set.
        kind: model or data.
        asked: revision that was asked for; None for the latest.
        revision: revision that was downloaded; None if the repository has none.
        license: as stated by the repository; None if it states none.
        source: web address.
        downloaded: day of the download.
        files: by path in the folder.
    """

    id: str
    kind: Literal["model", "data"]
    asked: str | None = None
    revision: str | None = None
    license: str | None = None
    source: str
    downloaded: date
    files: dict[str, StoredFile]

    @field_validator("id", "files")
    @classmethod
    def _inside(cls, value: Any) -> Any:
        """Damaged files are deleted: the list of a shared folder must not name files outside that folder."""
        for path in [value] if isinstance(value, str) else value:
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError(f"{path} is outside the folder")
        return value

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files.values())

    def answers(self, wanted: Wanted) -> bool:
        """Whether the entry is what is wanted.

        Args:
            wanted: a model or a data set.

        Returns:
            True if it is. An entry of a given revision does not stand for the latest one.
        """
        revisions = {self.asked, self.revision} if wanted.revision else {self.asked}
        return (self.kind, self.id) == (wanted.kind, wanted.id) and wanted.revision in revisions

    def state(self, folder: Path) -> str:
        """Compare the sizes of the files with those on disk.

        Args:
            folder: of the downloads.

        Returns:
            "complete", or what is wrong.
        """
        missing = sum(not (folder / path).is_file() for path in self.files)
        if missing:
            return f"{missing} of {len(self.files)} files are missing"
        changed = sum((folder / path).stat().st_size != file.bytes for path, file in self.files.items())
        return f"{changed} of {len(self.files)} files have another size" if changed else "complete"


class _Index(BaseModel):
    entries: list[Entry] = []


def read_entries(folder: Path) -> list[Entry]:
    """Read what a folder holds.

    Args:
        folder: of the downloads.

    Returns:
        One entry for each model and data set.

    Raises:
        InputError: if the folder holds no downloads, or the list is damaged.
    """
    path = folder / INDEX
    try:
        return _Index.model_validate_json(path.read_bytes()).entries
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: holds no downloads; fill it with: finetune download ID --to {folder}"
        ) from error
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(f"{path}: cannot be read: {reason}; delete the file") from error


def resolve(names: Sequence[str]) -> tuple[list[Wanted], list[str]]:
    """Find the models and data sets that are named directly or by recipes. Nothing is downloaded.

    Args:
        names: models as `finetune models show` accepts them, also with "@revision"; recipe files or names of
            included recipes.

    Returns:
        What to download, each once, and notes about what is not.

    Raises:
        InputError: if there is no such model or recipe.
    """
    wanted: list[Wanted] = []
    notes: list[str] = []
    for name in names:
        found = _of_recipe(name, notes) if _is_recipe(name) else [_of_model(name)]
        wanted += [one for one in found if one not in wanted]
    return wanted, notes


def download_all(wanted: Iterable[Wanted], folder: Path, report: Callable[[Entry, bool], None]) -> None:
    """Download models and data sets into a folder; what is there and undamaged is kept.

    Args:
        wanted: result of `resolve`.
        folder: created if it is missing.
        report: called with each entry, and whether it was there already.

    Raises:
        InputError: if a download fails; earlier ones stay, and the next call continues.
    """
    folder = expand_user(folder).absolute()
    with disk_errors(folder, HINT):
        folder.mkdir(parents=True, exist_ok=True)
    entries = read_entries(folder) if (folder / INDEX).exists() else []
    use_folder(folder, offline=False)
    for one in wanted:
        there = next((entry for entry in entries if entry.answers(one)), None)
        if there and is_intact(there, folder):
            report(there, True)
            continue
        entry = _download(one, folder)
        others = [other for other in entries if not other.answers(one)]
        entries = sorted([*others, entry], key=lambda entry: (entry.kind, entry.id, entry.asked or ""))
        with disk_errors(folder, HINT):
            write_file(folder / INDEX, _Index(entries=entries).model_dump_json(indent=2) + "\n")
        report(entry, False)


def _is_recipe(name: str) -> bool:
    if name.lower().endswith((".yaml", ".yml")):
        return "://" not in name  # the address of a BioImage.IO package
    return any(path.stem == name for path in recipe_folder().glob("*.yaml"))


def _of_recipe(name: str, notes: list[str]) -> list[Wanted]:
    recipe = find_recipe(name)
    model, wanted = recipe.model, []
    if model.checkpoint is not None:
        notes.append(f"{recipe.name}: model.checkpoint is a local file; copy it yourself")
    elif model.pretrained:
        id = f"{model.repository}:{model.name}"
        if isinstance(REPOSITORIES[model.repository], FetchesWeights) and not _has_none(id):
            wanted.append(Wanted(id=id, kind="model", revision=model.revision))
        else:
            notes.append(f"{recipe.name}: {id} starts from random weights; nothing to download")
    if recipe.data.root is not None or recipe.data.csv is not None or recipe.data.name is None:
        notes.append(f"{recipe.name}: its images are local files; copy them yourself")
    else:
        wanted.append(Wanted(id=recipe.data.name, kind="data"))
    return wanted


def _of_model(name: str) -> Wanted:
    name, _, revision = name.partition("@")
    listed = find_model(name)
    if not isinstance(REPOSITORIES[listed.repository], FetchesWeights) or not listed.info.pretrained:
        raise ModelError(f"{listed.id}: has no published weights; nothing to download")
    return Wanted(id=listed.id, kind="model", revision=revision or None)


def _has_none(id: str) -> bool:
    return not find_model(id).info.pretrained


def _download(wanted: Wanted, folder: Path) -> Entry:
    license: str | None
    revision: str | None
    if wanted.kind == "data":
        data = named(wanted.id)
        root = fetch(data)
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        source, license, revision = data.url or data.source, data.license, None
    else:
        repository, _, name = wanted.id.partition(":")
        module = REPOSITORIES[repository]
        weights = module.fetch_weights(name, wanted.revision) if isinstance(module, FetchesWeights) else None
        if weights is None:
            raise ModelError(f"{wanted.id}: has no published weights; nothing to download")
        files, source = list(weights.files), weights.source
        license, revision = weights.license, weights.revision
    return Entry(
        id=wanted.id,
        kind=wanted.kind,
        asked=wanted.revision,
        revision=revision,
        license=license,
        source=source,
        downloaded=datetime.now(UTC).date(),
        files={
            path.absolute().relative_to(folder).as_posix(): StoredFile(
                bytes=path.stat().st_size, sha256=sha256_file(path)
            )
            for path in files
        },
    )


def is_intact(entry: Entry, folder: Path) -> bool:
    """Compare all files with their hashes; delete those that differ, so that they are downloaded again.

    Args:
        entry: a model or data set.
        folder: of the downloads.

    Returns:
        True if no file is missing or differs.
    """
    intact = True
    for name, file in entry.files.items():
        path = folder / name
        if path.is_file() and path.stat().st_size == file.bytes and sha256_file(path) == file.sha256:
            continue
        intact = False
        if path.exists() and path.resolve().is_relative_to(folder.resolve()):  # the Hub's cache holds links
            path.resolve().unlink()
            path.unlink(missing_ok=True)
    if not intact and entry.kind == "data":
        _discard(folder / "finetune" / entry.id)
    elif not intact and entry.id.startswith("stardist:"):  # its folder, too, is created as a whole
        _discard(folder / "finetune" / entry.id.replace(":", "/"))
    return intact


def _discard(folder: Path) -> None:
    """Delete a data set or model folder in which a file is damaged: it is created as a whole."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
