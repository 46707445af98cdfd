"""Training images a second of StarDist's U-Net: this project's loop, and `StarDist2D.train` of stardist.

    uv venv peer --python 3.11 && uv pip install --python peer/bin/python stardist==0.9.2 tensorflow
    uv run python benchmarks/stardist_training.py PATH/dsb2018/train --peer peer/bin/python

Both train the same architecture (32 rays, grid 2, depth 3, 32 channels at the start) from random weights on
the same images, at the same batch, patch (256 pixels are StarDist's own) and constant learning rate, with
rotations and reflections. Each reads, augments and encodes in its own way: ours keeps encoded distances on
disk and augments in a process beside the training, stardist computes them for each batch. Times are of whole
epochs after the first, without validation, so neither start-up nor the one encoding of all labels counts. The
losses are weighted differently and cannot be compared.

Run it on an otherwise idle machine.
"""

from __future__ import annotations

from timed_training import compare, train_from_scratch

# Runs where stardist and tensorflow are installed, and nothing of this project.
THEIRS = """
import json, sys, time
import numpy as np, tensorflow, tifffile
from csbdeep.utils import normalize
from stardist import fill_label_holes
from stardist.models import Config2D, StarDist2D

given = json.loads(sys.argv[1])
tensorflow.config.threading.set_intra_op_parallelism_threads(given["threads"])
tensorflow.config.threading.set_inter_op_parallelism_threads(given["threads"])
images = [normalize(tifffile.imread(path).astype("float32"), 1, 99.8) for path, _ in given["pairs"]]
labels = [fill_label_holes(tifffile.imread(path).astype("int32")) for _, path in given["pairs"]]

def augment(image, label):
    turns = np.random.randint(4)
    image, label = np.rot90(image, turns), np.rot90(label, turns)
    return (image[::-1], label[::-1]) if np.random.rand() < 0.5 else (image, label)

config = Config2D(
    n_rays=32, grid=(2, 2), n_channel_in=1, unet_n_depth=3, unet_n_filter_base=32,
    train_patch_size=(given["patch"],) * 2, train_batch_size=given["batch"], train_tensorboard=False,
    train_learning_rate=given["rate"],
)
model = StarDist2D(config, name="peer", basedir=given["folder"])
model.prepare_for_training()
starts, seconds, losses = [], [], []

class Clock(tensorflow.keras.callbacks.Callback):
    def on_epoch_begin(self, *_):
        starts.append(time.perf_counter())
    def on_test_begin(self, *_):  # the validation that stardist cannot do without
        seconds.append(time.perf_counter() - starts[-1])
    def on_epoch_end(self, _, logs):
        losses.append(float(logs["loss"]))

model.callbacks.append(Clock())
model.train(
    images, labels, validation_data=(images[:1], labels[:1]), augmenter=augment,
    epochs=given["epochs"], steps_per_epoch=-(-given["images"] // given["batch"]),
)
print(json.dumps({"seconds": seconds, "losses": losses}))
"""


def ours(given: dict) -> dict:
    """The same with this project."""
    return train_from_scratch(
        given, "stardist/unet", {"grid": 2, "width": 32, "depth": 3}, "rays", {"rays": 32, "grid": 2}
    )


if __name__ == "__main__":
    compare(__doc__, __file__, "stardist", THEIRS, ours)
