"""The steps of a run, shared by all tasks: from a recipe to a trained model with record, cards and exports.

The module is not called run.py: `finetune.run` is the function, and Python would replace it by the module as
soon as anyone imported it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from cards.errors import InputError
from cards.paths import expand_user
from cards.record import RunRecord
from finetune.adapters import merge
from finetune.data.annotations.registry import label_files
from finetune.pipeline.artifacts import step_count, write_artifacts
from finetune.pipeline.destination import inputs_of
from finetune.pipeline.plan import Plan
from finetune.pipeline.pre_registration import parse_target_value, read_registration
from finetune.pipeline.pre_registration import register as write_registration
from finetune.pipeline.run_folder import RunFolder
from finetune.pipeline.start_state import begin_or_compare, keep_precision, keep_step_times
from finetune.pipeline.task import task_for
from finetune.recipe.library import find_recipe
from finetune.recipe.reader import write_recipe
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import save_adapter
from finetune.training.checkpoints import forget_previous, restore
from finetune.training.distributed import is_helper_process
from finetune.training.optimizer import OptimizerOptions
from finetune.training.trainer import fit, read_finished
from finetune.utils.memory import PeakMemory
from finetune.utils.progress import stage


def run(
    recipe: Recipe | Path | str,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    register: str | None = None,
    console: Console | None = None,
) -> RunRecord | None:
    """Fine-tune a model, evaluate it before and after, export it, verify the exports and write the cards.

    Args:
        recipe: a recipe, the path of a recipe file, or the name of a recipe that comes with finetune.
        out: the run folder to write; `runs/<recipe name>` if unset.
        overwrite: replace the folder, if it is a finished run, once the new run is complete.
        resume: continue the unfinished run in that folder.
        register: metric and value that the run should reach, such as "dice=0.92"; written to
            `registration.json` before training.
        console: where progress is shown; the terminal's error stream if unset.

    Returns:
        The record, as written to `record.json`. None in a process that only helps another to train.

    Raises:
        InputError: if the recipe, the images or the model are invalid, or another process writes the run
            folder; no run folder is left then. If the disk or memory fails later, the run can be resumed.
    """
    recipe = recipe if isinstance(recipe, Recipe) else find_recipe(recipe)
    helping = is_helper_process(recipe.compute)
    console = Console(quiet=True) if helping else console or Console(stderr=True)
    destination = Path("runs") / recipe.name if out is None else expand_user(out)
    if register and resume:
        raise InputError("a run that is resumed keeps its registration; leave out --register")
    target_value = parse_target_value(register, recipe) if register else None
    task = task_for(recipe)
    run_folder = RunFolder(
        destination, overwrite=overwrite, resume=resume, joining=helping, inputs=inputs_of(recipe)
    )
    with run_folder as folder:
        if not helping:
            restore(folder, lambda line: console.print(line, markup=False, soft_wrap=True))
            recipe = keep_precision(folder, recipe)
        plan = task.prepare(recipe, console)
        plan.report(console)
        if not helping:
            run_folder.protect(
                path for pair in plan.inputs.pairs for path in (pair.image, *label_files(pair.label))
            )
            begin_or_compare(folder, plan.recipe, plan.origin.sha256, plan.inputs.files)
            plan.step_times = keep_step_times(folder, plan.step_times)
            write_recipe(plan.recipe, folder / "recipe.yaml")
            write_registration(folder, plan, target_value)
        before = None
        if plan.pretrained and not helping:
            plan.model.network.to(plan.inputs.device)
            before = task.evaluate_stage(plan, "before", console)
        module = task.build_module(plan, folder, optimizer_options(plan))
        trains = read_finished(folder) is None
        with PeakMemory(plan.inputs.device) as memory:
            history = fit(module, plan.data, plan.recipe, folder, console)
        if helping:
            return None
        adapter = folder / "native" / "adapter"
        save_adapter(plan.model.network, plan.model.architecture, plan.origin, adapter)
        plan.model.network = merge(plan.model.network)
        plan.model.network.to(plan.inputs.device)  # Lightning leaves it on the CPU
        task.select_thresholds(plan, console)
        task.select_precision(plan, console)
        after = task.evaluate_stage(plan, "after", console)
        record = task.build_record(plan, history, before, after, memory.bytes if trains else None)
        record = record.model_copy(update={"registration": read_registration(folder)})
        task.save_scores(record, folder / "scores.csv")
        if not console.is_terminal:  # a log gets no progress
            console.print("exporting and verifying")
        with stage(console, "exporting and verifying", step_count()) as shown:
            record = write_artifacts(task, plan, record, folder, shown)
        forget_previous(folder)
        return record


def optimizer_options(plan: Plan[Any]) -> OptimizerOptions:
    """Settings of optimizer and learning-rate schedule of a plan.

    Args:
        plan: a resolved recipe.

    Returns:
        The settings, with the number of steps of the whole training.
    """
    training = plan.recipe.training
    assert training.learning_rate is not None  # filled in when the plan was built
    return OptimizerOptions(
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup=training.warmup,
        steps=training.epochs * plan.data.batches_per_epoch,
    )
