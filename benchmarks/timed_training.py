"""The training loop of a run, with the time and loss of each epoch, for comparisons with other packages."""

from __future__ import annotations

import json
import subprocess
import time
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
    from finetune.data.normalization import build_normalize
    from finetune.data.pairs import Pair
    from finetune.data.target_cache import MapStore

    data = SegmentationData(
        [Pair(Path(image), Path(label), Path(image).stem, "train") for image, label in given["pairs"]],
        target,
        build_normalize(loaded.normalize),
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
