"""Protocol of an exporter: one module per export format writes a model and reloads what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cards.record import RunRecord
from finetune.data.reader import Sample


@dataclass(frozen=True)
class ExportInput:
    """What exporters write.

    Attributes:
        model: the trained model of either task, on any device.
        record: the record of the run, without exports and files; texts and figures of packages come from it.
        images: returns an iterator over images with labels, from which examples in packages are made.
    """

    model: Any
    record: RunRecord
    images: Callable[[], Iterable[Sample]]


@dataclass(frozen=True)
class ReloadedExport:
    """An exported file, loaded with the tool that reads its format.

    Attributes:
        path: the file.
        format: weights format, as the record names it.
        tool: name of the package that loaded the file.
        model: has the method of the trained model that is compared: `predict`, or `masks` from prompts.
        cropped: whether it takes crops of limited size only; see `finetune.export.crop`.
    """

    path: Path
    format: str
    tool: str
    model: Any
    cropped: bool = False


class Exporter(Protocol):
    """What a module in `EXPORTERS` provides; its key is the name of its subfolder in the run folder.

    Attributes:
        OUTPUT: what it writes, for a dry run, e.g. "bioimageio/".
    """

    OUTPUT: str

    def supports(self, model: Any) -> str | None:
        """Whether the format can express a model.

        Args:
            model: a model of either task; it need not be trained.

        Returns:
            None if it can; otherwise the reason, as a sentence for the card.
        """

    def write(self, export: ExportInput, folder: Path) -> list[str]:
        """Export a model that the format supports.

        Args:
            export: model, record and images.
            folder: subfolder of the run folder; it is created if anything is written.

        Returns:
            Warnings for the card: what was left out, and why.

        Raises:
            OSError: if the folder cannot be written or the disk is full.
        """

    def reload(self, folder: Path, model: Any) -> Iterator[ReloadedExport]:
        """Load each exported file with the tool that reads its format.

        Args:
            folder: the folder given to `write`; nothing is yielded if it does not exist.
            model: the trained model.

        Yields:
            One item per file and weights format. It can be used until the next one is requested.

        Raises:
            InputError: if a file cannot be loaded.
        """


def trusted(record: RunRecord) -> bool:
    """Whether the run was allowed to execute what comes with the base model.

    Args:
        record: record of the run.

    Returns:
        `model.trust` of its recipe.
    """
    model = record.recipe.get("model")
    return isinstance(model, dict) and model.get("trust") is True
