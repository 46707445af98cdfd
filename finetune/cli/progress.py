"""Progress of commands that go through images."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def image_progress(
    total: int, stage: str = "segmenting"
) -> Iterator[tuple[Callable[[], None], Callable[[str, int, int], None]]]:
    """Show a progress bar on standard error, if that is a terminal and standard output is not.

    Args:
        total: number of images.
        stage: what is done with each.

    Yields:
        A function to call after each image, and one to call after each part of a large image.
    """
    if not sys.stderr.isatty() or sys.stdout.isatty():  # rich takes a tenth of a second to import
        yield lambda: None, lambda stage, done, parts: None
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task(stage, total=total)
        part = progress.add_task("", visible=False)

        def watch(stage: str, done: int, parts: int) -> None:
            if progress.tasks[part].description != stage:
                progress.reset(part)  # the time left is that of this stage
            progress.update(part, description=stage, completed=done, total=parts, visible=done < parts)

        yield lambda: progress.advance(task), watch
