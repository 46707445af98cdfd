"""Destination FOLDER: a copy of the model as it would be on the Hugging Face Hub, without a network."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from cards.errors import InputError, ModelError
from cards.fingerprint import sha256_file
from cards.publish.base import Item, Options, Publication, PublishError, Report
from cards.publish.contents import hub_items
from cards.record import RunRecord


class Folder:
    """A folder on disk. It appears when all files in it are complete; an existing one is never changed."""

    def __init__(self, path: Path):
        """Choose the folder.

        Args:
            path: folder to create.
        """
        self.path = path

    def check(self, options: Options) -> None:
        """Refuse the options of a repository; see `Destination.check`.

        Args:
            options: options of the command.

        Raises:
            InputError: naming the options.
        """
        if given := options.given():
            raise InputError(f"--to {self.path}: a folder has no {', '.join(given)}; leave it out")

    def items(self, run: Path, record: RunRecord, scratch: Path) -> list[Item]:
        """List the files; see `Destination.items`.

        Args:
            run: the run folder.
            record: its record.
            scratch: an empty folder for unpacked files.

        Returns:
            The files.

        Raises:
            InputError: if the folder would be part of the run.
        """
        if self.path.resolve().is_relative_to(run.resolve()):
            raise InputError(f"--to {self.path}: is inside the run folder; give a folder outside of it")
        return hub_items(run, record, scratch)

    def where(self, publication: Publication) -> str:
        """Name the folder; see `Destination.where`.

        Args:
            publication: the model.

        Returns:
            The path.
        """
        return f"the folder {self.path}"

    def upload(self, publication: Publication, report: Report) -> str:
        """Copy the files and compare the copies; see `Destination.upload`.

        Args:
            publication: the model.
            report: called with each step.

        Returns:
            How to load the model.

        Raises:
            InputError: if the folder has other content, or cannot be written.
            PublishError: if a copy differs.
        """
        if self.path.exists() or self.path.is_symlink():
            self._compare(publication)
        else:
            self._copy(publication)
        count = len(publication.items)
        return f'{self.path}: {count} files, compared with the run; load with finetune.load("{self.path}")'

    def _compare(self, publication: Publication) -> None:
        """Accept a folder that already has this content."""
        if not self.path.is_dir():
            raise InputError(f"--to {self.path}: is a file; give a folder that does not exist yet")
        found = {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}
        same = found == {item.path for item in publication.items} and not different(
            self.path, publication.items
        )
        if not same:
            raise InputError(
                f"--to {self.path}: exists with other content, and nothing is overwritten; "
                "give a folder that does not exist yet"
            )

    def _copy(self, publication: Publication) -> None:
        partial = self.path.parent / f".finetune-{secrets.token_hex(8)}"
        try:
            for item in publication.items:
                target = partial / item.path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(item.source, target)
            if names := different(partial, publication.items):
                raise PublishError(
                    f"{self.path}: not published: {names[0]} changed while it was copied; try again"
                )
            partial.rename(self.path)
        except OSError as error:
            raise ModelError(
                f"--to {self.path}: cannot be written ({error.strerror}); nothing was published"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def different(folder: Path, items: tuple[Item, ...]) -> list[str]:
    """Compare copies with the files that were to be published.

    Args:
        folder: with the copies.
        items: the files.

    Returns:
        Names of files whose SHA-256 differs.
    """
    return [item.path for item in items if sha256_file(folder / item.path) != item.sha256]
