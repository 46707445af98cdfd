"""Which images train the network, choose its weights, and measure it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from cards.base import Split
from cards.errors import DataError
from cards.formatting import counted
from finetune.data.pairs import Pair


def assign_splits(
    pairs: Sequence[Pair],
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    fields: Sequence[int] | None = None,
) -> tuple[list[Pair], str]:
    """Give every pair a split.

    Splits provided with the data set are kept; a missing split is drawn from the training images. The test
    images are drawn first, so that they do not depend on the fraction for validation. The position of an
    image in the draw depends on its name and the seed only, not on the folder of the data or the version of a
    library. If there are several stacks, the pages of a stack are drawn together, because neighboring pages
    are often almost alike.

    Args:
        pairs: as found.
        validation: fraction of the train images for validation, if the data have none.
        test: fraction of the train images for the test, if the data have none.
        seed: another seed draws other images.
        fields: number of the field of view of each pair; images of one field are then drawn together.

    Returns:
        The pairs in the order given, and how they were split in words.

    Raises:
        DataError: if no image is left to train on.
    """
    assigned: dict[Pair, Split] = {pair: pair.split or "train" for pair in pairs}
    pool = [pair for pair in pairs if assigned[pair] == "train"]
    provided = "provided with the data set"
    words = {"train": provided if any(pair.split == "train" for pair in pairs) else "the rest"}
    wanted: dict[Split, float] = {"test": test, "validation": validation}
    for split, fraction in wanted.items():
        if not 0 <= fraction < 1:
            raise DataError(f"data.{split} is {fraction}: it must be at least 0 and less than 1")
        if any(pair.split == split for pair in pairs):
            words[split] = provided
            continue
        left = [pair for pair in pool if assigned[pair] == "train"]
        if fields is None:
            drawn, whole = _draw(left, fraction, pool, f"{split} {seed}"), ""
        else:
            field_of = dict(zip(pairs, fields, strict=True))
            drawn = _draw_fields(left, fraction * len(pool), field_of, pairs, f"{split} {seed}")
            number = counted(len({field_of[pair] for pair in drawn}), "whole field")
            whole = f" in {number} of view"
        assigned |= dict.fromkeys(drawn, split)
        counts = f"{fraction:.0%} of train ({len(drawn)} of {len(pool)} images{whole}), seed {seed}"
        words[split] = counts if drawn else "none"
    if "train" not in assigned.values():
        raise DataError(
            f"none of {len(pairs)} images is left to train on: add images, "
            "or lower data.validation and data.test"
        )
    text = "; ".join(f"{split}: {words[split]}" for split in ("train", "validation", "test"))
    return [replace(pair, split=assigned[pair]) for pair in pairs], text


def keep_fraction(pairs: Sequence[Pair], fraction: float, seed: int = 0) -> list[int]:
    """Keep a fraction of the training images; validation and test images stay.

    A smaller fraction is a subset of a larger one with the same seed, so that a curve of accuracy against the
    number of training images compares like with like.

    Args:
        pairs: with a split.
        fraction: of the training images, greater than 0 and at most 1.
        seed: another seed keeps other images.

    Returns:
        Indices of the pairs that stay, in order; at least one of them is a training image.
    """
    train = [index for index, pair in enumerate(pairs) if pair.split == "train"]
    train.sort(key=lambda index: _place(f"fraction {seed}", pairs[index].name))
    dropped = set(train[max(1, round(fraction * len(train))) :])
    return [index for index in range(len(pairs)) if index not in dropped]


def _draw(left: list[Pair], fraction: float, pool: list[Pair], seed: str) -> list[Pair]:
    """A fraction of the pool out of what is left of it: at least one, and not all, if there is a choice."""
    by_page = len({pair.image for pair in pool}) == 1

    def unit(pair: Pair) -> str:
        return pair.name if by_page or pair.page is None else pair.name.rpartition("#")[0]

    units = sorted({unit(pair) for pair in left}, key=lambda name: _place(seed, name))
    if fraction == 0 or len(units) < 2:
        return []
    wanted = max(1, round(fraction * len({unit(pair) for pair in pool})))
    drawn = set(units[: min(wanted, len(units) - 1)])  # something must be left to train on
    return [pair for pair in left if unit(pair) in drawn]


def _draw_fields(
    left: list[Pair], wanted: float, field_of: dict[Pair, int], pairs: Sequence[Pair], seed: str
) -> list[Pair]:
    """Whole fields of view with about the wanted number of images: at least one, and not all.

    A field with an image in a provided split is not drawn: its other images are related to that one.
    """
    fixed = {field_of[pair] for pair in pairs if pair.split not in {None, "train"}}
    images: dict[int, list[Pair]] = {}
    for pair in left:
        images.setdefault(field_of[pair], []).append(pair)
    # The place of a field depends on the names of its images only, not on the order of the files.
    order = sorted(images, key=lambda field: _place(seed, min(pair.name for pair in images[field])))
    if len(order) < 2 or wanted == 0:
        return []
    order = [field for field in order if field not in fixed] or order
    drawn: list[Pair] = []
    for field in order:
        if len(drawn) + len(images[field]) <= max(1, round(wanted)):
            drawn += images[field]
    if not drawn:  # every field is larger than what was asked for
        drawn = min((images[field] for field in order), key=len)
    chosen = set(drawn)
    return [pair for pair in left if pair in chosen]


def _place(seed: str, name: str) -> bytes:
    """Place of a name in the draw."""
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
