"""What `finetune models` prints."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner

from finetune.cli.main import app
from finetune.repositories.catalog import count_models


def shown(*arguments: str, exit_code: int = 0) -> str:
    """What `finetune models` prints."""
    done = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    assert done.exit_code == exit_code, done.output
    return done.stdout


def row(repository: str, **options: Any) -> list[str]:
    return [str(count) for count in count_models(repository, **options).rows[repository].values()]
