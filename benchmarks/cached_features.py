"""Time per epoch with a frozen encoder that runs in every epoch, or once with its features cached on disk.

    uv run python benchmarks/cached_features.py PATH/dsb2018 --model sam2/sam2.1-hiera-tiny --views 2

Trains the same recipe (`adapt: head`, random weights, the same views of the same images in the same order)
with training.cache=false and true, each in a process of its own, by the loop of a run: reading, augmenting,
Lightning, logging and checkpoints count. KEY=VALUE at the end changes the recipe of both. Times are of whole
epochs after the first; the first, in which the encoder runs once on each view, is printed beside them. There
is no validation unless data.validation asks for it: reading labels back takes as long with features as
without.

Prints seconds an epoch (median), their ratio, the mean loss of each epoch of both, and the greatest
difference of those relative to the loss: half precision of the features makes it. Run it on an otherwise idle
machine.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from timed_training import run

RECIPE = """\
model: {{repository: {repository}, name: {name}, target: {target}, adapt: head, pretrained: false}}
data: {{csv: {table}, validation: 0, test: 0}}
training: {{epochs: {epochs}, patch: {patch}, batch_size: {batch}, views: {views}}}
card: {{title: Benchmark, description: How long an epoch takes.}}
"""


class Clock(io.StringIO):
    """A text stream that records the time at which each epoch is reported."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def write(self, text: str) -> int:
        """Note the time, and keep the text."""
        if text.startswith("epoch "):
            self.times.append(time.perf_counter())
        return super().write(text)


def measure(recipe_file: Path, overrides: list[str]) -> dict:
    from rich.console import Console

    from finetune.pipeline.automatic import build_module, prepare
    from finetune.pipeline.runner import optimizer_options
    from finetune.recipe.reader import read_recipe
    from finetune.training.trainer import fit

    clock = Clock()
    plan = prepare(read_recipe(recipe_file, overrides), Console(file=io.StringIO()))
    with tempfile.TemporaryDirectory(dir=recipe_file.parent) as folder:
        module = build_module(plan, Path(folder), optimizer_options(plan))
        start = time.perf_counter()
        history = fit(module, plan.data, plan.recipe, Path(folder), Console(file=clock, width=200))
    times = [start, *clock.times]
    return {
        "seconds": [end - begin for begin, end in zip(times, times[1:], strict=False)],
        "losses": [epoch["loss"] for epoch in history.epochs],
        "images": plan.count("train"),
        "encoder": plan.parameters.total - plan.parameters.trainable,
        "decoder": plan.parameters.trainable,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("data", type=Path, help="a folder with train/images and train/masks")
    arguments.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="of the recipe, for both")
    arguments.add_argument("--model", default="sam2/sam2.1-hiera-tiny", help="repository/name")
    arguments.add_argument("--target", default="flows")
    arguments.add_argument("--patch", type=int, default=256)
    arguments.add_argument("--views", type=int, default=2)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--epochs", type=int, default=5)
    arguments.add_argument("--limit", type=int, help="use so many of the images")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_intermixed_args()
    if given.one:
        import torch

        torch.set_num_threads(given.threads)
        print(json.dumps(measure(given.one, given.changes)))
        return
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "benchmark.yaml"
        repository, name = given.model.split("/", 1)
        table = write_table(given.data, given.limit, Path(folder))
        settings = {key: getattr(given, key) for key in ("target", "patch", "views", "batch", "epochs")}
        recipe.write_text(RECIPE.format(repository=repository, name=name, table=table, **settings))
        mine = [sys.executable, __file__, str(given.data), f"--threads={given.threads}", f"--one={recipe}"]
        every = run([*mine, *given.changes, "training.cache=false"])
        once = run([*mine, *given.changes, "training.cache=true"])
    print(
        f"{given.model}: {every['encoder']:,} frozen parameters, {every['decoder']:,} trained; "
        f"{every['images']} images, {given.views} views, {given.patch} px, batches of {given.batch}"
    )
    medians = [report(*each) for each in (("encoder in every epoch", every), ("features kept on disk", once))]
    print(f"ratio {medians[0] / medians[1]:.1f}")
    difference = max(
        abs(one - other) / abs(one) for one, other in zip(every["losses"], once["losses"], strict=True)
    )
    print(f"greatest relative difference of the losses {difference:.1e}")


def write_table(root: Path, limit: int | None, folder: Path) -> Path:
    """The training pairs of a folder as a table, all of them to train on."""
    from finetune.data.pairs import find_pairs

    pairs = [pair for pair in find_pairs(root) if pair.split in (None, "train")][:limit]
    with (folder / "pairs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label"])
        rows.writerows([pair.image.resolve(), pair.label.resolve()] for pair in pairs)
    return folder / "pairs.csv"


def report(name: str, found: dict) -> float:
    first, *rest = found["seconds"]
    seconds = statistics.median(rest)
    losses = ", ".join(f"{loss:.5f}" for loss in found["losses"])
    print(f"{name:<24}{seconds:8.2f} s an epoch ({first:.2f} s the first); losses {losses}")
    return seconds


if __name__ == "__main__":
    main()
