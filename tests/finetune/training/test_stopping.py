"""A request to stop: the epoch is completed and validated, and the run goes on as usual."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from discs import write_data, write_recipe
from rich.console import Console
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app
from finetune.pipeline.automatic import build_module, prepare
from finetune.pipeline.run_folder import RunFolder
from finetune.pipeline.runner import optimizer_options
from finetune.pipeline.stop_request import request_stop
from finetune.recipe.reader import read_recipe
from finetune.training.history import History
from finetune.training.run_files import FINISHED
from finetune.training.trainer import fit


class AskingConsole(Console):
    """Asks the run to stop as soon as it has shown a line."""

    def __init__(self, words: str, run: Path) -> None:
        super().__init__(file=io.StringIO())
        self.words, self.run = words, run

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **options)
        if self.words in str(objects):
            request_stop(self.run)


def test_training_ends_after_the_epoch_in_which_it_was_asked_to(tmp_path: Path) -> None:
    file = write_recipe(tmp_path / "discs.yaml", write_data(tmp_path / "discs"))
    recipe = read_recipe(file, ["training.epochs=9", "training.validate_every=7", "data.validation=0.3"])
    console = AskingConsole("epoch 1/9", tmp_path / "run")

    def train(folder: Path) -> History:
        plan = prepare(recipe, console)
        module = build_module(plan, folder, optimizer_options(plan))
        return fit(module, plan.data, plan.recipe, folder, console)

    with RunFolder(tmp_path / "run") as folder:
        history = train(folder)
        with pytest.raises(InputError, match="training has ended already"):
            request_stop(tmp_path / "run")
        (folder / "checkpoints" / FINISHED).unlink()  # killed before this file was written
        assert train(folder) == history
    assert history.stopped_by_user and not history.stopped_early
    assert [epoch["validation_dice"] is not None for epoch in history.epochs] == [False, True]
    assert "training was stopped by request after 2 of 9 epochs" in console.file.getvalue()


@pytest.mark.parametrize(("folder", "reason"), [("nowhere", ""), ("done", " (it is finished)")])
def test_there_must_be_a_run_in_progress(tmp_path: Path, folder: str, reason: str) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "record.json").touch()
    result = CliRunner().invoke(app, ["stop", str(tmp_path / folder)])
    assert str(result.exception) == f"{tmp_path / folder}: no run is in progress here{reason}"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["done", "record.json"]
