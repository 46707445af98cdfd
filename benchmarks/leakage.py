"""How many related images are found: adjacent tiles that are known, and planted copies and parts.

    python benchmarks/leakage.py PATH [--images N]

PATH is a folder with images in train/images and test/images; touching.csv in it, if there is one, lists
known pairs of adjacent tiles (columns split_a, image_a, split_b, image_b).

Of every N-th image, one changed copy of each kind is planted as a test image among all images. A relation of
a planted copy to any image but its original is a false positive, and so is a relation of kind exact, near or
crop between two original images. A planted part is half as high and wide as its original and holds at least
one object: three connected pixels of at least half the brightest value.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from cards.fingerprint import sha256_pixels
from finetune.data.fields import find_seams, read_borders
from finetune.data.images import read_image
from finetune.data.keypoints import find_keypoints, orient
from finetune.data.near_duplicates import find_copies

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def rotate(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotate by 90, 180 or 270 degrees, or mirror."""
    return orient(image, int(rng.integers(1, 8)))


def brighten(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change contrast by a factor of 0.6 to 1.4 and brightness by up to 20 of 255."""
    return np.clip(image * rng.uniform(0.6, 1.4) + rng.uniform(0, 20), 0, 255).astype(np.uint8)


def gamma(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply a gamma of 0.5 to 2."""
    return (255 * (image / 255) ** rng.uniform(0.5, 2)).astype(np.uint8)


def jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Save as JPEG of quality 75 and read it again."""
    file = io.BytesIO()
    Image.fromarray(image[0]).save(file, "jpeg", quality=75)
    return np.asarray(Image.open(file))[np.newaxis]


def crop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut out a part of half the height and width that holds an object."""
    height, width = image.shape[1:]
    bright = ndimage.label(image[0] >= image.max() / 2)[0]
    while True:
        top, left = int(rng.integers(0, height // 2 + 1)), int(rng.integers(0, width // 2 + 1))
        area = (slice(top, top + height // 2), slice(left, left + width // 2))
        if np.bincount(bright[area].ravel(), minlength=2)[1:].max() >= 3:
            return image[(slice(None), *area)]


def chain(*changes: Change) -> Change:
    """Apply several changes one after the other."""

    def change(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for each in changes:
            image = each(image, rng)
        return image

    return change


CHANGES: dict[str, Change] = {
    "exact copy": lambda image, _: image.copy(),
    "rotated or mirrored": rotate,
    "brighter, more contrast": brighten,
    "gamma": gamma,
    "JPEG": jpeg,
    "JPEG, rotated, brighter": chain(jpeg, rotate, brighten),
    "part": crop,
    "part, rotated": chain(crop, rotate),
    "part, JPEG": chain(crop, jpeg),
    "part, JPEG, rotated, brighter": chain(crop, jpeg, rotate, brighten),
}


def row(kind: str, planted: int | str, found: int | str, false: int | str, seconds: float) -> None:
    """Print one row of the table."""
    print(f"| {kind} | {planted} | {found} | {false} | {seconds:.1f} |", flush=True)


def measure_seams(names: list[str], images: list[np.ndarray], table: Path) -> None:
    """Print how many of the known seams between test and training images are found."""
    begin = time.process_time()
    borders = [read_borders(image) for image in images]
    seams = find_seams(borders)
    seconds = time.process_time() - begin
    found = {frozenset((names[seam.first], names[seam.second])) for seam in seams}
    false = {kind: len(find_seams(borders, control=kind)) for kind in ("not facing", "backwards")}  # type: ignore[call-overload]
    if table.is_file():
        with table.open() as file:
            known = {
                frozenset((f"{line['split_a']}/{line['image_a']}", f"{line['split_b']}/{line['image_b']}"))
                for line in csv.DictReader(file)
                if {line["split_a"], line["split_b"]} == {"train", "test"}
            }
        test = {name for pair in known for name in pair if name.startswith("test/")}
        hit = {name for pair in known & found for name in pair if name.startswith("test/")}
        row("known seam of a test and a training image", len(known), len(known & found), "", seconds)
        row("test image with a known training image beside it", len(test), len(hit), "", seconds)
    across = {
        name for pair in found if len({n[:4] for n in pair}) == 2 for name in pair if name[:4] == "test"
    }
    row("any test image beside a training image", "unknown", len(across), "", seconds)
    row("any seam", "unknown", len(seams), "", seconds)
    row("borders that do not face each other", 0, "", false["not facing"], seconds)
    row("borders read backwards", 0, "", false["backwards"], seconds)


def measure_copies(images: list[np.ndarray], step: int) -> None:
    """Print how many planted copies are found, and false relations between the originals."""
    begin = time.process_time()
    hashes, keypoints = [sha256_pixels(i) for i in images], [find_keypoints(i) for i in images]
    row("(keypoints of all images)", "", "", "", time.process_time() - begin)
    begin = time.process_time()
    own = find_copies(hashes, keypoints, images.__getitem__)
    false = [copy for copy in own if copy.kind != "overlap"]
    row("pair of originals (exact, near or part)", 0, "", len(false), time.process_time() - begin)
    row("pair of originals (overlap)", 0, "", len(own) - len(false), time.process_time() - begin)
    for kind, change in CHANGES.items():
        rng = np.random.default_rng(0)
        origin = list(range(0, len(images), step))
        planted = [change(images[index], rng) for index in origin]
        both = images + planted
        begin = time.process_time()
        copies = find_copies(
            hashes + [sha256_pixels(image) for image in planted],
            keypoints + [find_keypoints(image) for image in planted],
            both.__getitem__,
            range(len(images), len(both)),
            range(len(images)),
        )
        right = {c.first for c in copies if c.second == origin[c.first - len(images)] and c.kind != "overlap"}
        wrong = [c for c in copies if c.second != origin[c.first - len(images)]]
        row(kind, len(planted), len(right), len(wrong), time.process_time() - begin)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--images", type=int, default=5, help="plant a copy of every N-th image")
    arguments = parser.parse_args()
    paths = sorted(arguments.root.glob("t*/images/*.tif"))
    names = [f"{path.parent.parent.name}/{path.stem}" for path in paths]
    begin = time.process_time()
    images = [read_image(path) for path in paths]
    print(f"{len(images)} images, read in {time.process_time() - begin:.1f} s; CPU seconds of one core\n")
    print("| relation | planted | found | false positives | seconds |\n|---|---|---|---|---|")
    measure_seams(names, images, arguments.root / "touching.csv")
    measure_copies(images, arguments.images)


if __name__ == "__main__":
    main()
