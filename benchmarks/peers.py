"""Prediction with a fine-tuned StarDist or Cellpose model: finetune, and the package the model comes from.

    uv venv tf --python 3.11 && uv pip install --python tf/bin/python tensorflow-cpu stardist
    uv venv cp3 --python 3.11 && uv pip install --python cp3/bin/python cellpose==3.1.1.3
    python benchmarks/peers.py runs/stardist_nuclei PATH/dsb2018/test --peer tf/bin/python
    python benchmarks/peers.py runs/cyto3_nuclei PATH/dsb2018/test --peer cp3/bin/python

The peer loads `native/` of the run, that is the same weights: `StarDist2D.predict_instances` (TensorFlow), or
`CellposeModel.eval` of cellpose 3. Both predict the same pixels, one image at a time, with the normalization
and the thresholds of the run and the same number of threads, from pixels in memory to labels. In each round,
first one predicts all images and then the other. The time of an image is its median over the rounds.

Prints time and processor time (of all threads) per image, their ratios, and how well the labels of both
agree: Dice, and AP at an IoU of 0.5 and 0.9; where there are masks, also the accuracy of both. A model that
finds hardly any instance is refused, because then neither decodes anything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from finetune.data.images import read_image, read_labels
from finetune.inference.model import Model
from finetune.loading import load
from finetune.metrics.dice import dice
from finetune.metrics.instances import average_precision, match_instances

FEWEST = 2  # mean number of instances per image

# Runs where the peer is installed, and nothing of this project.
SERVE = """
import json, os, sys, time, warnings
from pathlib import Path
import numpy as np
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # standard output is for answers alone
warnings.simplefilter("ignore")
given = json.loads(sys.argv[1])
native = Path(given["native"])
{load}
for line in sys.stdin:
    pixels = np.load(line.strip())
    start = time.perf_counter(), time.process_time()
    labels = segment(pixels)
    times = time.perf_counter() - start[0], time.process_time() - start[1]
    np.save(given["labels"], labels.astype("int32"))
    print(json.dumps(times), file=answers, flush=True)
"""
LOAD = {
    "stardist": """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(given["threads"])
tf.config.threading.set_inter_op_parallelism_threads(1)
from csbdeep.utils import normalize
from stardist.models import StarDist2D
model = StarDist2D(None, name=native.name, basedir=str(native.parent))
low, high = given["normalize"]["low"], given["normalize"]["high"]
def segment(image):
    # b=0: finetune proposes polygons up to the border of the image, too
    return model.predict_instances(normalize(image, low, high), predict_kwargs={"b": 0})[0]
""",
    "cellpose": """
import torch
torch.set_num_threads(given["threads"])
from cellpose.models import CellposeModel
model = CellposeModel(gpu=False, pretrained_model=str(next(native.glob("*.pth"))))
options = ("flow_threshold", "cellprob_threshold", "min_size")
options = {name: given["target"][name] for name in options}
def segment(image):
    return model.eval(image, channels=[0, 0], diameter=None, **options)[0]
""",
}


class Segmented(NamedTuple):
    """Labels (H, W) of one image, and what they took, in seconds and in processor seconds."""

    labels: np.ndarray
    seconds: float
    processor: float


Segment = Callable[[Path], Segmented]


def ours(model: Model) -> Segment:
    """Prediction of an image as `finetune predict` does it, from pixels to labels."""

    def segment(path: Path) -> Segmented:
        pixels = np.load(path)
        start = time.perf_counter(), time.process_time()
        labels = model.predict(pixels)
        return Segmented(labels, time.perf_counter() - start[0], time.process_time() - start[1])

    return segment


def theirs(python: Path, run: Path, model: Model, folder: Path, threads: int) -> Segment:
    """Prediction of an image by the peer, in a process that stays."""
    given = {
        "native": str((run / "native").resolve()),
        "labels": str(folder / "labels.npy"),
        "threads": threads,
        "normalize": model.normalize.options(),
        "target": model.target.options(),
    }
    environment = {
        "OMP_NUM_THREADS": str(threads),
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    process = subprocess.Popen(
        [str(python), "-c", SERVE.format(load=LOAD[model.architecture.repository]), json.dumps(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert process.stdin and process.stdout
    send, receive = process.stdin, process.stdout

    def segment(path: Path) -> Segmented:
        print(path, file=send, flush=True)
        answer = receive.readline()
        if not answer:
            sys.exit(f"the peer ended: exit code {process.wait()}")
        return Segmented(np.load(given["labels"]), *json.loads(answer))

    return segment


def measure(sides: list[Segment], paths: list[Path], rounds: int) -> list[list[Segmented]]:
    """Predict all images with both sides in turns; labels of the last round, median times of all rounds."""
    found: list[list[list[Segmented]]] = [[], []]
    for side in sides:
        side(paths[0])  # the first call is slower
    for _ in range(rounds):
        for side, results in zip(sides, found, strict=True):
            results.append([side(path) for path in paths])
    return [[median(list(image)) for image in zip(*results, strict=True)] for results in found]


def median(results: list[Segmented]) -> Segmented:
    times = np.median([result[1:] for result in results], axis=0)
    return Segmented(results[-1].labels, *times.tolist())


def agreement(predictions: list[np.ndarray], references: list[np.ndarray]) -> str:
    """Mean Dice, and AP at two thresholds."""
    pairs = list(zip(predictions, references, strict=True))
    matches = [match_instances(*pair) for pair in pairs]
    scores = {
        "Dice": np.mean([dice(*pair) for pair in pairs]),
        "AP50": np.mean([average_precision(match, 0.5) for match in matches]),
        "AP90": np.mean([average_precision(match, 0.9) for match in matches]),
    }
    return ", ".join(f"{name} {score:.4f}" for name, score in scores.items())


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Time finetune and a peer on the same weights and images.")
    parser.add_argument("run", type=Path, help="a run with a StarDist or a classic Cellpose model")
    parser.add_argument("data", type=Path, help="a folder with images/ of one channel, and perhaps masks/")
    parser.add_argument("--peer", type=Path, required=True, help="the Python of an environment with the peer")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="float32", help="of finetune; the peers predict in float32")
    options = parser.parse_args()

    import torch

    torch.set_num_threads(options.threads)
    model = load(options.run, precision=options.precision)
    assert isinstance(model, Model)
    files = sorted((options.data / "images").iterdir())[: options.images]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"{index}.npy" for index in range(len(files))]
        for file, path in zip(files, paths, strict=True):
            np.save(path, read_image(file)[0])
        peer = theirs(options.peer, options.run, model, folder, options.threads)
        mine, others = measure([ours(model), peer], paths, options.rounds)
    if np.mean([image.labels.max() for image in mine]) < FEWEST:
        print(f"{options.run}: the model finds hardly any instance", file=sys.stderr)
        return 1
    report(mine, others, model.architecture.repository)
    masks = [options.data / "masks" / file.name for file in files]
    if all(path.is_file() for path in masks):
        references = [read_labels(path) for path in masks]
        for side, results in (("finetune", mine), ("peer", others)):
            print(f"{side} against the masks: {agreement([image.labels for image in results], references)}")
    return 0


def report(mine: list[Segmented], others: list[Segmented], repository: str) -> None:
    """Print times, ratios and agreement."""
    means = {}
    for side, results in (("finetune", mine), (repository, others)):
        wall, processor = np.mean([image[1:] for image in results], axis=0)
        count = np.mean([image.labels.max() for image in results])
        means[side] = wall, processor
        print(
            f"{side:<10}{1000 * wall:7.1f} ms per image, {1000 * processor:7.1f} ms of processor time; "
            f"{count:.1f} instances"
        )
    wall, processor = np.divide(means[repository], means["finetune"])
    print(f"ratio {wall:.2f} of time, {processor:.2f} of processor time")
    labels = [[image.labels for image in results] for results in (mine, others)]
    print(f"labels of both: {agreement(*labels)}")


if __name__ == "__main__":
    sys.exit(main())
