"""The training loop of a run, with the time and loss of each epoch, for comparisons with other packages."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def find_pairs(root: Path, limit: int | None) -> list[tuple[str, str]]:
    """Paths of images and label images of a folder with images/ and masks/."""
    images = sorted((root / "images").glob("*.tif"))[:limit]
    return [(str(path.resolve()), str((root / "masks" / path.name).resolve())) for path in images]


def draw_patches(given: dict, target: Any, loaded: Any, *, patch: int, scale: tuple[float, float]) -> Any:
    """Patches as a run draws them, with encoded maps that are computed before."""
    from finetune.data.augmentation import Augmentation
    from finetune.data.datamodule import SegmentationData
    from finetune.data.normalization import PERCENTILE, build_normalize
    from finetune.data.pairs import Pair
    from finetune.data.target_cache import MapStore

    data = SegmentationData(
        [Pair(Path(image), Path(label), Path(image).stem, "train") for image, label in given["pairs"]],
        target,
        build_normalize(loaded.normalize or PERCENTILE),
        label_kind="instances",
        channels="gray",
        augmentation=Augmentation(symmetries=True, intensity=0, noise=0, scale=scale),
        patch=patch,
        batch_size=given["batch"],
        images_per_epoch=given["images"],
        workers=1,
        seed=0,
    )
    maps = Path(given["folder"]) / "maps"
    data.keep_maps(maps)
    for pair in data.of("train"):
        MapStore(maps, target).keep(data.reader.labels(pair))
    return data


def train(given: dict, loaded: Any, target: Any, data: Any, *, clip: float | None = 1.0) -> dict:
    """Train at a constant learning rate; returns the seconds and the mean loss of each epoch."""
    import pytorch_lightning as pl
    import torch

    from finetune.training.module import Segmenter
    from finetune.training.optimizer import OptimizerOptions

    module = Segmenter(
        loaded.network,
        target,
        divisor=loaded.divisor,
        # So far from the last step, the learning rate is constant.
        optimizer=OptimizerOptions(given["rate"], given["decay"], warmup=0, steps=10**9),
    )
    seconds, losses = [], []

    class Clock(pl.Callback):
        def on_train_epoch_start(self, *_: object) -> None:
            self.start = time.perf_counter()

        def on_train_epoch_end(self, trainer: pl.Trainer, *_: object) -> None:
            seconds.append(time.perf_counter() - self.start)
            losses.append(float(trainer.callback_metrics["loss"]))

    torch.manual_seed(0)
    pl.Trainer(
        max_epochs=given["epochs"],
        accelerator="cpu",
        precision=given["precision"],
        callbacks=[Clock()],
        limit_val_batches=0,
        reload_dataloaders_every_n_epochs=int(given.get("same", False)),
        gradient_clip_val=clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(module, datamodule=data)
    return {"seconds": seconds, "losses": losses}


def train_from_scratch(given: dict, model: str, options: dict, target: str, target_options: dict) -> dict:
    """Train a network with the training loop of a run, without evaluation, export and checkpoints.

    Args:
        given: the settings.
        model: repository and name, such as "wipp/unet".
        options: of the model.
        target: name of the target.
        target_options: of the target.

    Returns:
        Seconds and mean loss of each epoch.
    """
    import torch

    from finetune.repositories.registry import LoadOptions, load
    from finetune.targets.registry import build_target
    from finetune.utils.malloc import TRAINING, keep_freed_memory

    keep_freed_memory(TRAINING)
    torch.set_num_threads(given["threads"])
    torch.manual_seed(0)
    built = build_target(target, target_options)
    loaded = load(*model.split("/"), LoadOptions(1, built.channels, options=options))
    patches = draw_patches(given, built, loaded, patch=given["patch"], scale=(1, 1))
    return train(given, loaded, built, patches)


def report(name: str, found: dict, images: int) -> float:
    """Print and return images a second in the epochs after the first, and print the losses."""
    later = found["seconds"][1:] or found["seconds"]
    speed = images * len(later) / sum(later)
    losses = " ".join(f"{loss:.3f}" for loss in found["losses"])
    print(f"{name:<28}{speed:8.2f} images/s   loss by epoch: {losses}")
    return speed


def run(command: list[str]) -> dict:
    """Run a command, and read the last line that it prints."""
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(printed.strip().splitlines()[-1])


def comparison_arguments(
    description: str | None, peer: str, *, batch: int, patch: int, rate: float, decay: float
) -> argparse.ArgumentParser:
    """Arguments of a script that compares training with another package; the last four are defaults."""
    arguments = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("data", type=Path, help="a folder with images/ and masks/, of one channel")
    arguments.add_argument("--peer", type=Path, help=f"the Python of an environment with {peer}")
    arguments.add_argument("--epochs", type=int, default=3)
    arguments.add_argument("--images", type=int, default=64, help="an epoch")
    arguments.add_argument("--limit", type=int, help="use so many of the images")
    arguments.add_argument("--batch", type=int, default=batch)
    arguments.add_argument("--patch", type=int, default=patch, help="pixels")
    arguments.add_argument("--rate", type=float, default=rate)
    arguments.add_argument("--decay", type=float, default=decay)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    return arguments


def compare(
    description: str | None, script: str, peer: str, theirs: str, ours: Callable[[dict], dict]
) -> None:
    """Train with another package and with this project, each in a process of its own, and print both speeds.

    Args:
        description: of the script, for its help.
        script: path of the script, which is run once more for each precision of ours.
        peer: name of the other package.
        theirs: program that trains with it; takes the settings as JSON, and prints seconds and losses.
        ours: trains with this project; takes the settings, and returns seconds and losses.
    """
    arguments = comparison_arguments(description, peer, batch=4, patch=256, rate=3e-4, decay=0.0)
    arguments.add_argument("--precisions", nargs="+", default=["32-true", "bf16-mixed"], help="of ours")
    given = arguments.parse_args()
    if given.one:
        print(json.dumps(ours(json.loads(given.one))))
        return
    keys = ("epochs", "images", "batch", "patch", "rate", "decay", "threads")
    settings = {key: getattr(given, key) for key in keys} | {"pairs": find_pairs(given.data, given.limit)}
    their_speed = None
    if given.peer:
        with tempfile.TemporaryDirectory() as folder:
            found = run([str(given.peer), "-c", theirs, json.dumps(settings | {"folder": folder})])
        their_speed = report(peer, found, given.images)
    for precision in given.precisions:
        with tempfile.TemporaryDirectory() as folder:
            one = json.dumps(settings | {"folder": folder, "precision": precision})
            found = run([sys.executable, script, str(given.data), "--one", one])
        speed = report(f"finetune, {precision}", found, given.images)
        if their_speed:
            print(f"ratio {speed / their_speed:.2f}")
