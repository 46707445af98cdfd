"""What a page can show: the runs, tables, images and benchmarks below the folders given, and nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cards.benchmark.results import FILE as BENCHMARK
from cards.errors import InputError
from cards.paths import as_utf8
from cards.reading import NAME as RECORD
from finetune.data.images import is_image
from finetune.data.layouts import first_few
from finetune.pipeline.start_state import is_marked

Kind = Literal["run", "table", "images", "benchmark"]

DEPTH = 6
"""Folders below the ones given that are searched."""
MOST_FOLDERS = 20_000
"""Folders that are searched; a home directory must not take minutes."""
UNFINISHED = ("checkpoints", "logs")
"""Folders of a run that has no record yet; an older version of finetune left no marker."""
TABLES = {".csv", ".tsv"}


@dataclass(frozen=True)
class Item:
    """Something that opens as a panel.

    Attributes:
        key: name on the page and in links: the folder given, then the path below it.
        kind: kind of panel.
        path: a run folder, a package, a CSV, a folder of images, an image, or a `benchmark.json`.
    """

    key: str
    kind: Kind
    path: Path


@dataclass
class Library:
    """The items below the paths given.

    Attributes:
        paths: the files and folders given.
        data: folders with the images of the runs.
        items: by key; see `scan`.
        notes: what was left out, one sentence each.
    """

    paths: Sequence[Path]
    data: Sequence[Path] = ()
    items: dict[str, Item] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _roots: list[Path] = field(default_factory=list)

    def scan(self) -> None:
        """Search the paths again: runs appear and are deleted while a page is open.

        Raises:
            InputError: in the first search, if a path that was given does not exist, or is a file that cannot
                be shown. Later, such a path is noted.
        """
        searched_before = bool(self._roots)
        items: dict[str, Item] = {}
        self.notes = []
        self._roots = [path.resolve() for path in (*self.paths, *self.data) if path.exists()]
        for path in self.paths:
            try:
                found = list(self._search(path))
            except InputError as error:
                if not searched_before:
                    raise
                self.notes.append(str(error))
                continue
            for item in found:
                key = item.key
                while key in items and items[key].path != item.path:
                    key += "'"  # two folders of the same name were given
                items[key] = Item(key, item.kind, item.path)
        self.items = items

    def of(self, kind: Kind) -> list[Item]:
        """Items of one kind.

        Args:
            kind: the kind.

        Returns:
            In the order of their keys.
        """
        return sorted((item for item in self.items.values() if item.kind == kind), key=lambda one: one.key)

    def get(self, key: str, kind: Kind) -> Item:
        """Look an item up, e.g. one that a link names.

        Args:
            key: its key.
            kind: the kind that the panel shows.

        Returns:
            The item.

        Raises:
            InputError: if there is none, or the file is no longer there.
        """
        item = self.items.get(key)
        if item is None or item.kind != kind:
            raise InputError(f"{key}: not among the files shown; it may have been deleted or renamed")
        self.check(item.path)
        return item

    def check(self, path: Path) -> None:
        """Refuse files outside the folders given; links are resolved first.

        Args:
            path: a file or folder that is about to be read.

        Raises:
            InputError: if it lies outside, or does not exist.
        """
        if not path.exists():
            raise InputError(f"{path.name}: no longer there; it may have been deleted or renamed")
        if not self._holds(path):
            raise InputError(f"{path.name}: a link out of the folders that were given; it is not read")

    def _holds(self, path: Path) -> bool:
        """As `inside`, with the folders given resolved once: asked several times for each run."""
        return _resolved_inside(path, self._roots)

    def _search(self, given: Path) -> Iterator[Item]:
        if not given.exists():
            raise InputError(f"{given}: no such file or folder, or a link that leads nowhere")
        name = given.resolve().name
        if given.is_file():
            if kind := _file_kind(given):
                yield Item(name, kind, given)
                return
            raise InputError(f"{given}: is neither a run, a package, a CSV, an image nor a benchmark.json")
        for number, (folder, depth, run) in enumerate(_walk(given, DEPTH)):
            if number == MOST_FOLDERS:
                self.notes.append(f"{name}: only the first {MOST_FOLDERS:,} folders were searched")
                return
            below = folder.relative_to(given).as_posix()
            key = name if below == "." else f"{name}/{below}"
            yield from [Item(key, "run", folder)] if run else self._folder(folder, key)
            if depth == DEPTH and any(entry.is_dir() for entry in _entries(folder)):
                self.notes.append(f"{key}: folders below it were not searched")

    def _folder(self, folder: Path, key: str) -> Iterator[Item]:
        # What is not a link lies in the folder given, because the search follows no links.
        names = {path.name: as_utf8(path.name) for path in _all_entries(folder)}
        # The others have no address on the page.
        if odd := [shown for name, shown in names.items() if shown != name]:
            self.notes.append(f"{key}: left out, because the names are not valid UTF-8: {first_few(odd)}")
        files = [entry for entry in _entries(folder) if not entry.is_symlink() or self._holds(entry)]
        if any(is_image(file) for file in files):
            yield Item(key, "images", folder)
        for file in files:
            if file.is_file() and (kind := _file_kind(file)) and kind != "images":
                yield Item(f"{key}/{file.name}", kind, file)


def is_run(folder: Path) -> bool:
    """Whether a folder is a run, finished or not.

    Args:
        folder: any folder.

    Returns:
        True if it holds a record, or what a run writes before its record.
    """
    if (folder / RECORD).is_file() or is_marked(folder):
        return True
    return all((folder / name).is_dir() for name in UNFINISHED)


def inside(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path lies in one of the folders; links are resolved on both sides.

    Args:
        path: any path.
        folders: files or folders.

    Returns:
        True if it does.
    """
    return _resolved_inside(path, [folder.resolve() for folder in folders])


def _resolved_inside(path: Path, folders: Iterable[Path]) -> bool:
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return False
    return any(real.is_relative_to(folder) for folder in folders)


def images_of(item: Item) -> list[Path]:
    """Images of a folder, or the image itself.

    Args:
        item: of kind "images".

    Returns:
        Paths by name.
    """
    from finetune.data.pairs import natural

    if is_image(item.path):
        return [item.path]
    return sorted(filter(is_image, _entries(item.path)), key=lambda path: natural(path.name))


def _file_kind(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    if path.name == BENCHMARK:
        return "benchmark"
    if path.name == RECORD or suffix == ".zip":
        return "run"
    if suffix in TABLES:
        return "table"
    return "images" if is_image(path) else None


def _entries(folder: Path) -> list[Path]:
    return [path for path in _all_entries(folder) if as_utf8(path.name) == path.name]


def _all_entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:  # not allowed, or just deleted
        return []


def _walk(folder: Path, depth: int) -> Iterator[tuple[Path, int, bool]]:
    """Folders, depth, whether it is a run; not hidden ones, links, or the inside of runs and OME-Zarr."""
    waiting = deque([(folder, 0)])
    while waiting:
        current, level = waiting.popleft()
        run = is_run(current)
        yield current, level, run
        if level == depth or run:
            continue
        folders = [path for path in _entries(current) if path.is_dir() and not path.is_symlink()]
        waiting += [(path, level + 1) for path in folders if not is_image(path)]
