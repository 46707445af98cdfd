"""`finetune stop`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cards.paths import expand_user
from finetune.cli.console import print_line


def stop(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a run in progress.")],
) -> None:
    """End the training of a run after the current epoch.

    The run then validates, evaluates, exports and writes its record as usual. Ctrl-C in the terminal of the
    run interrupts it instead; an interrupted run can be resumed.
    """
    from finetune.pipeline.stop_request import request_stop

    request_stop(expand_user(run))
    print_line(f"{run}: training ends after the current epoch")
