"""Folds of whole fields of view: compare settings on every training image, and on no test image.

    python benchmarks/field_folds.py PATH/dsb2018 --folds 3 --out folds
    finetune run unet_nuclei data.csv=folds/fold_1.csv data.validation=0 --out runs/base_1
    finetune run unet_nuclei data.csv=folds/fold_1.csv data.validation=0 training.epochs=54 --out runs/long_1
    finetune card table runs/

Writes one CSV file per fold. In each, the training images of one fold are the split `test` and those of the
other folds `train`, so every training image is predicted once by a network that saw no image of its field of
view. Images of the split `test` of the data set are left out. Adjacent tiles, copies and parts of one image
stay in one fold.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

from finetune.data.fields import fields
from finetune.data.images import read_image
from finetune.data.pairs import Pair, find_pairs
from finetune.data.relations import find_links, take_imprint


def fold_of(pairs: list[Pair], folds: int) -> list[int]:
    """Number of the fold of each pair, from 1 on: the largest fields first, each into the smallest fold."""
    imprints = [take_imprint(read_image(pair.image, pair.page)) for pair in pairs]
    links = find_links(imprints, lambda index: read_image(pairs[index].image, pairs[index].page))
    field = fields(len(pairs), [(link.first, link.second) for link in links])
    members: dict[int, list[int]] = {}
    for index, number in enumerate(field):
        members.setdefault(number, []).append(index)
    chosen, sizes = [0] * len(pairs), [0] * folds
    for group in sorted(members.values(), key=lambda group: (-len(group), pairs[group[0]].name)):
        smallest = sizes.index(min(sizes))
        sizes[smallest] += len(group)
        for index in group:
            chosen[index] = smallest + 1
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the data set")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="folder of the CSV files")
    given = parser.parse_args()
    # A table of images has no field for the page of a stack.
    pairs = [pair for pair in find_pairs(given.data) if pair.split in {None, "train"} and pair.page is None]
    chosen = fold_of(pairs, given.folds)
    given.out.mkdir(parents=True, exist_ok=True)
    for fold in range(1, given.folds + 1):
        path = given.out / f"fold_{fold}.csv"
        with path.open("x", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["image", "label", "split"])
            for pair, number in zip(pairs, chosen, strict=True):
                names = [os.path.relpath(one, given.out) for one in (pair.image, pair.label)]
                table.writerow([*names, "test" if number == fold else "train"])
        print(f"{path}: {chosen.count(fold)} of {len(pairs)} images predicted")


if __name__ == "__main__":
    main()
