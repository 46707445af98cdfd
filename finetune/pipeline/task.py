"""Tasks: what differs between automatic and interactive segmentation. `runner.run` is the same for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from cards.base import TaskName
from cards.record import RunRecord
from finetune.data.reader import Sample
from finetune.pipeline import automatic, interactive
from finetune.pipeline.plan import Plan
from finetune.recipe.schema import Recipe
from finetune.targets.tasks import task_of
from finetune.training.history import History
from finetune.training.optimizer import OptimizerOptions
from finetune.training.protocol import TrainableModule


class Task(Protocol):
    """What a module in `TASKS` provides; the runner calls it in this order."""

    def prepare(self, recipe: Recipe, console: Console) -> Plan[Any]:
        """Resolve a recipe: inspect the images, load the network, check that they fit.

        Args:
            recipe: a recipe of this task.
            console: where progress is shown.

        Returns:
            The plan, before anything is trained.

        Raises:
            InputError: if something would prevent the run from finishing, as far as it can be known now.
        """

    def build_module(self, plan: Plan[Any], folder: Path, optimizer: OptimizerOptions) -> TrainableModule:
        """Build the training module.

        Args:
            plan: the resolved recipe.
            folder: the run folder.
            optimizer: settings of optimizer and schedule.

        Returns:
            A LightningModule that trains the plan's network in place.
        """

    def evaluate_stage(self, plan: Plan[Any], stage: str, console: Console) -> Any:
        """Evaluate the plan's model on the test images.

        Args:
            plan: the resolved recipe; its network is on the device for evaluation.
            stage: "before" or "after" training, for the progress display.
            console: where progress is shown.

        Returns:
            The task's own results, as `build_record` takes them.
        """

    def select_thresholds(self, plan: Plan[Any], console: Console) -> None:
        """Select the target options that the recipe left `auto`, on the validation images.

        Args:
            plan: the resolved recipe with the trained model.
            console: where progress is shown.
        """

    def select_precision(self, plan: Plan[Any], console: Console) -> None:
        """Choose the precision of inference on the validation images, after the thresholds.

        Args:
            plan: the resolved recipe with the trained model.
            console: where progress is shown.
        """

    def build_record(
        self, plan: Plan[Any], history: History, before: Any, after: Any, training_peak_bytes: int | None
    ) -> RunRecord:
        """Build the record; exports and files follow later.

        Args:
            plan: the resolved recipe.
            history: the training history.
            before: results of `evaluate_stage` before training; None for an untrained base model.
            after: results after training.
            training_peak_bytes: peak memory of training; None if not measured.

        Returns:
            The record.
        """

    def save_scores(self, record: RunRecord, path: Path) -> None:
        """Write the scores of each image as CSV.

        Args:
            record: the record.
            path: the file.
        """

    def export_score(self, model: Any, sample: Sample) -> float:
        """Score by which exported files are compared with the trained model.

        Args:
            model: the trained model, or one that was reloaded from an export.
            sample: a test image with reference labels.

        Returns:
            Dice, from 0 to 1.
        """

    def draw(self, plan: Plan[Any], record: RunRecord, folder: Path) -> None:
        """Draw the figures of the card besides the training curve.

        Args:
            plan: the resolved recipe with the trained model.
            record: the record.
            folder: where the figures are written.
        """

    def summarize(self, plan: Plan[Any]) -> dict[str, str]:
        """Describe target and memory for a dry run.

        Args:
            plan: the resolved recipe.

        Returns:
            The lines "target" and "memory".
        """


TASKS: dict[TaskName, Task] = {"automatic": automatic, "interactive": interactive}


def task_for(recipe: Recipe) -> Task:
    """The task that a recipe's `model.target` selects.

    Args:
        recipe: a recipe.

    Returns:
        A module of `TASKS`.
    """
    return TASKS[task_of(recipe.model.target)]
