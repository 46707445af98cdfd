"""The main job: a recipe and images in, a trained model with its record, cards and packages out.

The design calls this file run.py; but `finetune.run` is the function, and Python would put the module
in its place as soon as anyone imported it.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cards.record import RunRecord
from finetune.adapters import merge
from finetune.data.feature_cache import FeatureStore
from finetune.evaluation.evaluate import Measured, evaluate, write_scores
from finetune.evaluation.thresholds import choose
from finetune.pipeline.artifacts import write_artifacts
from finetune.pipeline.interactive import run_prompted
from finetune.pipeline.plan import Plan, prepare
from finetune.pipeline.record_builder import build_record
from finetune.pipeline.run_folder import RunFolder
from finetune.recipe.library import find_recipe
from finetune.recipe.reader import write_recipe
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import save_adapter
from finetune.targets.prompt_options import PROMPTS
from finetune.training.hardware import device_of
from finetune.training.module import Segmenter
from finetune.training.precompute import with_frozen_encoder
from finetune.training.trainer import fit, is_finished, is_helper_process
from finetune.utils.memory import PeakMemory


def run(
    recipe: Recipe | Path | str,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    console: Console | None = None,
) -> RunRecord | None:
    """Fine-tune a model, measure it before and after, export it, and write its cards.

    Args:
        recipe: a recipe, a file, or the name of a recipe that comes with finetune.
        out: the run folder to write; `runs/<recipe name>` if unset.
        overwrite: replace the folder if it exists.
        resume: go on with the unfinished run in that folder.
        console: where progress goes; the terminal's error stream if unset.

    Returns:
        The record, as written to `record.json`. None in a process that only helps another to train.

    Raises:
        InputError: if something is wrong that the user can mend; the folder is then not there.
    """
    helping = is_helper_process()
    console = Console(quiet=True) if helping else console or Console(stderr=True)
    recipe = recipe if isinstance(recipe, Recipe) else find_recipe(recipe)
    destination = Path(out) if out else Path("runs") / recipe.name
    with RunFolder(destination, overwrite=overwrite, resume=resume, joining=helping) as folder:
        if recipe.model.target == PROMPTS:
            return run_prompted(recipe, folder, console, helping)
        plan = prepare(recipe, console)
        plan.say(console)
        if not helping:
            write_recipe(plan.recipe, folder / "recipe.yaml")
        # A network of which only a part has weights is as untrained as one of random weights.
        pretrained = plan.origin.weights == "pretrained" and plan.origin.part is None
        before = _evaluate(plan, console, "before") if pretrained and not helping else None
        segmenter = build_segmenter(plan, folder)
        trains = not is_finished(folder)
        with PeakMemory(device_of(plan.recipe.compute)) as memory:
            history = fit(segmenter, plan.data, plan.recipe, folder, console)
        if helping:
            return None
        adapter = folder / "native" / "adapter"
        save_adapter(plan.model.network, plan.model.architecture, plan.origin, adapter)
        plan.model.network = merge(plan.model.network)
        _choose(plan, console)
        after = _evaluate(plan, console, "after")
        record = build_record(plan, history, before, after, memory.bytes if trains else None)
        stages = {"before": record.accuracy.before, "after": record.accuracy.after} if record.accuracy else {}
        write_scores(folder / "scores.csv", stages)
        console.print("exporting and checking what was exported")
        return write_artifacts(plan.model, plan.data, record, folder, plan.recipe.evaluation.check_images)


def build_segmenter(plan: Plan, folder: Path) -> Segmenter:
    """What is trained: the network, or where its encoder is frozen the decoder, on features in the folder."""
    training, network = plan.recipe.training, plan.model.network
    assert training.learning_rate is not None  # prepare() filled it in
    features, frozen = None, with_frozen_encoder(network)
    if training.cache and training.views is not None and frozen:
        settings = {
            "network": plan.model.architecture.model_dump(),
            "precision": plan.recipe.compute.precision,
        }
        features, network = FeatureStore(folder / "features", frozen.encoder, settings), frozen.decoder
    return Segmenter(
        network,
        plan.model.target,
        divisor=plan.model.divisor,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup=training.warmup,
        steps=training.epochs * plan.data.batches_per_epoch,
        features=features,
    )


def _choose(plan: Plan, console: Console) -> None:
    if not plan.chosen:
        return
    plan.model.network.to(device_of(plan.recipe.compute))
    with console.status(f"choosing {', '.join(plan.chosen)} on {plan.count('validation')} validation images"):
        plan.model.target = choose(plan.model, plan.chosen, plan.data.samples("validation"))


def _evaluate(plan: Plan, console: Console, stage: str) -> Measured | None:
    if not plan.count("test"):
        return None
    plan.model.network.to(device_of(plan.recipe.compute))  # Lightning leaves it on the CPU
    with console.status(f"measuring {stage} on {plan.count('test')} test images"):
        return evaluate(plan.model, plan.data.samples("test"))
