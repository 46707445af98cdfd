"""Training images a second of CPnet: this project's loop, and cellpose 3.1.1.3's own `train_seg`.

    uv venv peer --python 3.11 && uv pip install --python peer/bin/python cellpose==3.1.1.3
    uv run python benchmarks/cpnet_training.py PATH/dsb2018/train --peer peer/bin/python

Both start from the same random weights, which this process writes, and learn from the same images at the same
batch and patch, resized to the same mean diameter, with AdamW at the same constant learning rate. Each reads,
augments and encodes in its own way: ours keeps encoded flows on disk and augments in a process beside the
training, cellpose does both between its steps. Patches of 224 pixels are cellpose 3's own. Times are of whole
epochs after the first, so neither start-up nor the one encoding of all labels counts, and neither does
validation: there is none.

Prints images per second of both, their ratio, and the mean loss of each epoch: half the squared error of
5 × flows plus the cross-entropy of cell. Each package computes the loss on its own patches; finetune's loss
is higher. With `--same-patches`, finetune trains on the batches that cellpose drew, without gradient
clipping, and the losses agree: to three decimals in the first step, later up to accumulating rounding errors.
Without it, the source code of both shows four differences. `train_seg` resizes each image by its own mean
diameter, finetune all images by that of the data set. `train_seg` computes the loss on the resized patch,
finetune at the resolution of the image, where outlines and centers, which are hard to predict, are a larger
part. `train_seg` rotates patches by arbitrary angles, which leaves empty corners. finetune clips gradients.
The contribution of each difference was not measured.

Run it on an otherwise idle machine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from timed_training import comparison_arguments, draw_patches, find_pairs, report, run, train

THREADS = "import torch; torch.set_num_threads({threads})\n"

# Runs where cellpose 3 is installed, and nothing of this project.
THEIRS = """
import json, sys, time, types
import numpy as np, tifffile, torch
from cellpose import train
from cellpose.resnet_torch import CPnet

given = json.loads(sys.argv[1])
torch.manual_seed(0)
network = CPnet([2, 32, 64, 128, 256], 3, 3)
network.load_state_dict(torch.load(given["weights"]))
images = [tifffile.imread(path) for path, _ in given["pairs"]]
labels = [tifffile.imread(path).astype("int32") for _, path in given["pairs"]]
starts, losses, loss_of, batches = [], [], train._loss_fn_seg, -(-given["images"] // given["batch"])

images_seen = []
network.register_forward_pre_hook(lambda _, inputs: images_seen.append(inputs[0]))
def timed(maps, *arguments):
    loss = loss_of(maps, *arguments)
    if given["same"]:  # the second channel is empty; cell, flow y and flow x
        cell, flow_y, flow_x = np.moveaxis(np.asarray(maps), 1, 0)
        batch = {"image": images_seen[-1].numpy()[:, :1], "maps": np.stack([flow_y, flow_x, cell > 0.5], 1)}
        np.savez(f"{given['batches']}/{len(losses):06d}.npz", **batch)
    images_seen.clear()
    losses.append(loss.item())
    return loss

# An epoch begins where train_seg puts the network into training mode.
into_training = network.train
def begins(*arguments):
    starts.append(time.perf_counter())
    return into_training(*arguments)
network.train = begins
train._loss_fn_seg = timed
# A constant rate: it rises over its first ten epochs otherwise.
constant = {"linspace": lambda start, stop, count: np.full(count, stop)}
train.np = types.SimpleNamespace(**vars(np) | constant)
train.train_seg(
    network, train_data=images, train_labels=labels, channels=[0, 0], batch_size=given["batch"],
    learning_rate=given["rate"], weight_decay=given["decay"], n_epochs=given["epochs"],
    nimg_per_epoch=given["images"], bsize=given["patch"], min_train_masks=1, save_path=given["folder"],
)
starts.append(time.perf_counter())
means = [float(np.mean(losses[i:i + batches])) for i in range(0, len(losses), batches)]
print(json.dumps({"seconds": np.diff(starts).tolist(), "losses": means}))
"""


def ours(given: dict) -> dict:
    """The loop of a run, without what stands around it."""
    from finetune.repositories.registry import LoadOptions, load
    from finetune.targets.registry import build_target
    from finetune.utils.malloc import TRAINING, keep_freed_memory

    keep_freed_memory(TRAINING)
    target = build_target("flows", {})
    # The peer resizes images before it cuts patches; our network resizes the patches.
    size = None if given["same"] else given["diameter"]
    start = LoadOptions(1, 3, options={"diameter": size}, checkpoint=Path(given["weights"]))
    loaded = load("cellpose", "cyto3", start)
    if given["same"]:
        return train(given, loaded, target, same_batches(given), clip=None)  # cellpose does not clip
    # Pixels before resizing, such that the network sees patches of the size that cellpose's sees.
    patch = round(given["patch"] * given["diameter"] / 30 / loaded.divisor) * loaded.divisor
    return train(given, loaded, target, draw_patches(given, target, loaded, patch=patch, scale=(0.75, 1.25)))


def same_batches(given: dict) -> Any:
    """The batches that the peer learned from, epoch by epoch."""
    import pytorch_lightning as pl
    import torch
    from torch.utils.data import DataLoader, Dataset

    files = sorted(Path(given["batches"]).iterdir())
    size = len(files) // given["epochs"]

    class Batches(Dataset[dict[str, torch.Tensor]]):
        def __init__(self, epoch: int) -> None:
            self.files = files[epoch * size : (epoch + 1) * size]

        def __len__(self) -> int:
            return len(self.files)

        def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
            with np.load(self.files[index]) as batch:
                return {name: torch.from_numpy(batch[name].astype("float32")) for name in batch.files}

    class Data(pl.LightningDataModule):
        def train_dataloader(self) -> DataLoader:
            return DataLoader(Batches(self.trainer.current_epoch), batch_size=None)

    return Data()


def main() -> None:
    arguments = comparison_arguments(__doc__, "cellpose 3.1.1.3", batch=8, patch=224, rate=1e-3, decay=1e-5)
    arguments.add_argument("--precision", default="bf16-mixed", help="of ours; cellpose has float32 alone")
    arguments.add_argument(
        "--same-patches",
        action="store_true",
        help="train on the patches that cellpose drew, without clipping",
    )
    given = arguments.parse_args()
    if given.one:
        import torch

        torch.set_num_threads(given.threads)
        print(json.dumps(ours(json.loads(given.one))))
        return
    if given.same_patches and not given.peer:
        arguments.error("--same-patches needs --peer")
    with tempfile.TemporaryDirectory() as folder:
        keys = ("epochs", "images", "batch", "patch", "rate", "decay", "precision")
        settings = {key: getattr(given, key) for key in keys}
        settings |= {"pairs": find_pairs(given.data, given.limit), "same": given.same_patches}
        settings |= {"weights": f"{folder}/start.pth", "folder": folder, "batches": f"{folder}/batches"}
        Path(settings["batches"]).mkdir()
        settings["diameter"] = write_start(settings)
        print(f"mean diameter {settings['diameter']} px, resized to 30 px")
        theirs = None
        if given.peer:
            code = THREADS.format(threads=given.threads) + THEIRS
            found = run([str(given.peer), "-c", code, json.dumps(settings)])
            theirs = report("cellpose 3.1.1.3", found, given.images)
        mine = [sys.executable, __file__, str(given.data), f"--threads={given.threads}", "--one"]
        speed = report(f"finetune, {given.precision}", run([*mine, json.dumps(settings)]), given.images)
        if theirs and not given.same_patches:
            print(f"ratio {speed / theirs:.2f}")


def write_start(settings: dict) -> float:
    """Write the random weights that both start from; returns the mean diameter of the objects in pixels."""
    import torch

    from finetune.data.diameter import mean_diameter
    from finetune.data.images import read_labels
    from finetune.networks.cpnet import CPnet

    torch.manual_seed(0)
    torch.save(CPnet(2, 3).state_dict(), settings["weights"])
    return mean_diameter(read_labels(Path(label)) for _, label in settings["pairs"])


if __name__ == "__main__":
    main()
