"""Progress of a stage: one line in a terminal, with time left and memory in use; nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from cards.formatting import duration, memory
from finetune.utils.resident_memory import resident_memory

Item = TypeVar("Item")


class Stage:
    """One stage of a run. Its line stays on the screen when it ends, with the time that it took."""

    def __init__(self, progress: Progress, name: str, total: int, done: int) -> None:
        """Add the line; see `stage`."""
        self._progress = progress
        self._task = progress.add_task(name, total=total, completed=done)

    def advance(self, steps: int = 1) -> None:
        """Count completed steps.

        Args:
            steps: how many.
        """
        self._progress.advance(self._task, steps)

    def track(self, items: Iterable[Item]) -> Iterator[Item]:
        """Count each item when the next one is requested, or when the iteration ends.

        Args:
            items: what the stage works on.

        Yields:
            The items.
        """
        for item in items:
            try:
                yield item
            finally:
                self.advance()

    def describe(self, name: str) -> None:
        """Replace the text of the line.

        Args:
            name: the text.
        """
        self._progress.update(self._task, description=name)

    def finish(self) -> None:
        """End the stage with the steps that were completed, although there were to be more."""
        task = self._progress.tasks[self._task]
        self._progress.update(self._task, total=task.completed)


@contextmanager
def stage(console: Console, name: str, total: int, done: int = 0) -> Iterator[Stage]:
    """Show the progress of a stage.

    Args:
        console: where it is shown, if that is a terminal.
        name: of the stage, such as "reading images".
        total: number of steps.
        done: steps that were completed earlier.

    Yields:
        The stage, to which completed steps are reported.
    """
    text, percent = TextColumn("{task.description}", markup=False), TextColumn("{task.percentage:>3.0f} %")
    columns = (text, BarColumn(10), percent, _Time(), _Memory())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Stage(progress, name, total, done)


class _Time(ProgressColumn):
    """Time left; at the end, time taken."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished:
            return Text(duration(task.finished_time), style="progress.elapsed")
        left = task.time_remaining
        return Text("" if left is None else f"{duration(max(1.0, left))} left", style="progress.remaining")


class _Memory(ProgressColumn):
    """Memory in use."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        used = memory_in_use()
        return Text("" if used is None else memory(used), style="progress.filesize")


def memory_in_use() -> int | None:
    """Measure the memory that the process uses now: on a GPU if it has allocated some there.

    Returns:
        Bytes that torch has allocated on the GPU, or else the resident memory of the process; None if it
        cannot be measured, as on other systems than Linux.
    """
    torch = sys.modules.get("torch")  # not imported for this
    if torch is not None and torch.cuda.is_available() and (allocated := torch.cuda.memory_allocated()):
        return int(allocated)
    return resident_memory("VmRSS")
