"""Training images a second of a U-Net: this project's loop, and `DefaultTrainer` of torch_em.

    uv venv peer --python 3.11 && uv pip install --python peer/bin/python torch_em==0.10.9
    uv run python benchmarks/torch_em_training.py PATH/dsb2018/train --peer peer/bin/python

Both train a U-Net of depth 4 with 32 channels at the start, from random weights, on foreground and boundary
of the same images, at the same batch, patch and constant learning rate, with rotations and reflections, and
with one process that reads and augments. Each has its own layers: ours normalize groups of channels,
torch_em's single channels. torch_em logs nothing, and writes its checkpoints outside the measured time. Times
are of whole epochs after the first. The losses are different functions and cannot be compared.

Run it on an otherwise idle machine.
"""

from __future__ import annotations

from timed_training import compare, train_from_scratch

# Runs where torch_em is installed, and nothing of this project.
THEIRS = """
import json, sys, time
import torch, torch_em
from torch_em.model import UNet2d
from torch_em.trainer import DefaultTrainer
from torch_em.transform.label import BoundaryTransform

given = json.loads(sys.argv[1])
torch.set_num_threads(given["threads"])
torch.manual_seed(0)
seconds, losses = [], []

class Timed(DefaultTrainer):
    def _train_epoch(self, progress):
        start, self.found = time.perf_counter(), []
        result = super()._train_epoch(progress)
        seconds.append(time.perf_counter() - start)
        losses.append(sum(self.found) / len(self.found))
        return result

    def _forward_and_loss(self, x, y):
        prediction, loss = super()._forward_and_loss(x, y)
        self.found.append(loss.item())
        return prediction, loss

def loader(pairs, samples, workers):
    images, labels = (list(paths) for paths in zip(*pairs))
    return torch_em.default_segmentation_loader(
        images, None, labels, None, batch_size=given["batch"], patch_shape=(given["patch"],) * 2,
        label_transform=BoundaryTransform(add_binary_target=True), n_samples=samples, shuffle=True,
        num_workers=workers, persistent_workers=bool(workers), pin_memory=False, is_seg_dataset=False,
    )

trainer = torch_em.default_segmentation_trainer(
    "peer", UNet2d(1, 2, depth=4, initial_features=32, final_activation="Sigmoid"),
    loader(given["pairs"], given["images"], 1), loader(given["pairs"][:1], given["batch"], 0),
    learning_rate=given["rate"], device="cpu", mixed_precision=False, logger=None, trainer_class=Timed,
    save_root=given["folder"],
)
trainer.fit(epochs=given["epochs"], progress=None)
print(json.dumps({"seconds": seconds, "losses": losses}))
"""


def ours(given: dict) -> dict:
    """The same with this project."""
    return train_from_scratch(given, "wipp/unet", {"width": 32, "depth": 4}, "foreground_boundary", {})


if __name__ == "__main__":
    compare(__doc__, __file__, "torch_em", THEIRS, ours)
