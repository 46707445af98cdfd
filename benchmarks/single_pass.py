"""Time an image: SAM2 in a single pass, and SAM2AutomaticMaskGenerator, which asks with a grid of points.

    uv run python benchmarks/single_pass.py [--images FOLDER] [--model sam2.1-hiera-tiny] [--checkpoint PATH]

Both have the same image encoder with the same weights, and see the same pixels at the same size: 1024 × 1024,
which is what SAM2 takes, then, for information, 256 × 256, for which the generator's SAM2 is built anew. Ours
goes from pixels to labels by Cellpose's flows, the generator from pixels to its list of masks, with the
settings that it has by default (32 × 32 points, three masks a point). Images are resized before the clock
starts. Ours is warmed up by an image, the generator by an image with one point.

Weights are random unless a checkpoint is given: a file of SAM2's (our decoder is then untrained), or one of
our runs. With random weights the generator's filters drop most masks, or all: what it does after them is
then not timed, but the encoder and the mask decoder for all points are, which take most of its time. Ours
finds what an untrained decoder finds; the time to read labels from flows depends on that, and is given apart.

Prints seconds an image of both (the median), and their ratio. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def read_images(folder: Path | None, size: int, most: int) -> list[np.ndarray]:
    """Gray images (size, size) uint8, the darkest pixel 0 and the brightest 255."""
    from skimage.transform import resize

    if folder is None:
        from stardist.data import test_image_nuclei_2d

        images = [test_image_nuclei_2d()]
    else:
        from finetune.data.images import is_image, read_image

        paths = sorted(path for path in folder.iterdir() if is_image(path))[:most]
        images = [read_image(path).mean(axis=0) for path in paths]
    resized = [resize(image.astype(np.float32), (size, size)) for image in images]
    return [(255 * (image - image.min()) / np.ptp(image)).astype(np.uint8) for image in resized]


def median(images: list[np.ndarray], repeats: int, run: Callable[[np.ndarray], Any]) -> float:
    seconds = []
    for image in images * repeats:
        start = time.perf_counter()
        run(image)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def load_ours(name: str, checkpoint: Path | None, device: str) -> Any:
    from finetune.data.normalization import build_normalize
    from finetune.inference.model import Model
    from finetune.repositories.registry import LoadOptions, load
    from finetune.targets.registry import build_target

    target = build_target("flows")
    start = LoadOptions(1, target.channels, checkpoint=checkpoint, pretrained=False)
    loaded = load("sam2", name, start)
    network = loaded.network.to(device).eval()
    normalize = build_normalize(loaded.normalize or {})
    return Model(network, target, normalize, "gray", 1, loaded.divisor, loaded.architecture)


def load_generator(ours: Any, size: int, points: int, device: str) -> Any:
    """The generator, with a SAM2 of our network's weights that takes images of that size."""
    from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES, build_sam2

    from finetune.networks.hiera import STRIDES
    from finetune.repositories.registry import save

    config, _ = HF_MODEL_ID_TO_FILENAMES[f"facebook/{ours.architecture.name}"]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = str(save(ours.network, ours.architecture, Path(folder))[0])
        sized = [f"++model.image_size={size}"]
        whole = build_sam2(config, checkpoint, device=device, hydra_overrides_extra=sized)
    generator = SAM2AutomaticMaskGenerator(whole, points_per_side=points)
    # It takes 1024 for granted here alone.
    generator.predictor._bb_feat_sizes = [(size // stride, size // stride) for stride in STRIDES]
    return generator


def compare(given: argparse.Namespace, size: int) -> None:
    images = read_images(given.images, size, given.most)
    ours = load_ours(given.model, given.checkpoint, given.device)
    generator = load_generator(ours, size, given.points, given.device)
    ours.predict(images[0])
    maps = ours.predict_maps(ours.prepare(images[0][None]))
    one_point = load_generator(ours, size, 1, given.device)
    one_point.generate(np.stack([images[0]] * 3, axis=-1))

    single = median(images, given.repeats, ours.predict)
    reading = median(images[:1], given.repeats, lambda _: ours.target.decode(maps))
    theirs = median(images, 1, lambda image: generator.generate(np.stack([image] * 3, axis=-1)))
    print(f"{size} × {size}, {len(images)} image{'s'[: len(images) > 1]}")
    print(f"  single pass{single:26.3f} s an image, of which flows to labels {reading:.3f} s")
    print(f"  generator, {given.points} × {given.points} points{theirs:15.3f} s an image")
    print(f"  ratio{theirs / single:32.1f} x", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--images", type=Path, help="a folder; one image of nuclei of stardist's if unset")
    arguments.add_argument("--most", type=int, default=3, help="images taken of the folder")
    arguments.add_argument("--model", default="sam2.1-hiera-tiny")
    arguments.add_argument("--checkpoint", type=Path, help="weights; random if unset")
    arguments.add_argument("--sizes", type=int, nargs="+", default=[1024, 256], help="multiples of 32")
    arguments.add_argument("--points", type=int, default=32, help="a side of the generator's grid")
    arguments.add_argument("--repeats", type=int, default=5, help="of the single pass, an image")
    arguments.add_argument("--device", default="cpu")
    given = arguments.parse_args()
    weights = given.checkpoint.name if given.checkpoint else "random weights"
    print(f"{given.model}, {weights}, on {given.device}")
    for size in given.sizes:
        compare(given, size)


if __name__ == "__main__":
    main()
