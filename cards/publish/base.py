"""What all destinations share: files, options, and the error of an incomplete publication."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cards.record import RunRecord

Report = Callable[[str], None]
"""Shows progress of an upload in one line."""


class PublishError(Exception):
    """A publication that was refused or interrupted.

    The message states what is at the destination now. The command line prints it and exits with code 1.
    """


@dataclass(frozen=True)
class Item:
    """One file to publish.

    Attributes:
        path: name at the destination, with forward slashes.
        source: the file on disk.
        sha256: of its content, 64 hexadecimal digits.
        size: in bytes.
    """

    path: str
    source: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Options:
    """Options of `finetune publish`.

    Attributes:
        repo: id of the repository; None for the default of the destination.
        private: create the repository as a private one.
        pull_request: propose the files in a pull request instead of committing them.
        tag: version, such as "1.0.0"; None for the default of the destination.
    """

    repo: str | None = None
    private: bool = False
    pull_request: bool = False
    tag: str | None = None

    def given(self) -> list[str]:
        """List the options that differ from their defaults, as the command line spells them.

        Returns:
            For example `["--repo", "--tag"]`.
        """
        named = {
            "--repo": self.repo,
            "--private": self.private,
            "--pull-request": self.pull_request,
            "--tag": self.tag,
        }
        return [name for name, value in named.items() if value]


@dataclass(frozen=True)
class Publication:
    """A model that is ready to be published.

    Attributes:
        run: the run folder.
        record: its record.
        items: the files, sorted by path.
        options: options of the command.
    """

    run: Path
    record: RunRecord
    items: tuple[Item, ...]
    options: Options

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(item.size for item in self.items)


class Destination(Protocol):
    """A module that publishes to one destination."""

    def check(self, options: Options) -> None:
        """Refuse options that the destination does not have.

        Args:
            options: options of the command.

        Raises:
            InputError: naming the option.
        """

    def items(self, run: Path, record: RunRecord, scratch: Path) -> Sequence[Item]:
        """List the files to publish; neither a token nor a network is needed.

        Args:
            run: the run folder.
            record: its record.
            scratch: an empty folder for unpacked files.

        Returns:
            The files.

        Raises:
            InputError: if the model does not meet the rules of the destination.
        """

    def where(self, publication: Publication) -> str:
        """Describe where the files would go, for `--dry-run`.

        Args:
            publication: the model.

        Returns:
            One line.
        """

    def upload(self, publication: Publication, report: Report) -> str:
        """Upload the files, read them back and compare them.

        Args:
            publication: the model.
            report: called with each step.

        Returns:
            One line: what is there now and how to load it.

        Raises:
            InputError: if the destination refuses the user or the options.
            PublishError: if the publication is not complete, stating what is there.
        """
