"""Copies: images with equal pixels, changed copies, and images that are part of another.

Copies are searched by keypoints, of which each image keeps a few kilobytes. Two images are candidates if
their keypoints agree on one rotation, reflection and displacement. Candidates are then read and compared
pixel by pixel where they overlap. An image may have several candidates, so recent images stay in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import ndimage

from finetune.data.keypoints import BACKGROUND, COMPOSED, MATRICES, SMOOTH, Keypoints, orient
from finetune.utils.distinct_rows import distinct_rows

Kind = Literal["exact", "near", "crop", "overlap"]

ALIKE = 0.9  # correlation of two descriptors of the same place
VOTES = 2  # pairs of descriptors that must agree on one displacement
FEW = 3  # votes, below which only a whole image or a whole part with a high correlation is accepted
MATCHES = 24  # most similar descriptors of each keypoint that are considered
TOLERANCE = 4  # half pixels by which displacements may differ and still agree
CANDIDATES = 5  # images with which one image is compared pixel by pixel
BLOCK = 512  # descriptors that are compared at a time
OTHERS = 4096  # descriptors with which they are compared at a time; 8 MB of correlations stay in the cache
MEMORY = 2**28  # bytes of recent images that stay in memory; the two that are compared always do

CORRELATION = 0.8
"""Correlation of the pixels in which two images overlap, above which they show the same. Smoothing and the
subtraction of the background come first, so that neither noise nor illumination counts."""

CERTAIN = 0.95
"""The same, if only few keypoints agree, or if only a part of both images overlaps."""

MARGIN = 16  # pixels at the border of the overlap that are not compared
WHOLE = 0.97  # fraction of an image that must lie within the other to be all of it
LEAST = 0.1  # fraction of the smaller image in which both must overlap
LEAST_PIXELS = 1024  # in which both must overlap


RANK: dict[Kind, int] = {"exact": 0, "near": 1, "crop": 2, "overlap": 3}  # the closest first


class Copy(NamedTuple):
    """Two images that show the same.

    Attributes:
        first: index of an image.
        second: index of the other image.
        kind: "exact" for equal pixels, "near" for a changed copy of the whole image, "crop" if one is part of
            the other, "overlap" if they share a part.
        correlation: of the pixels in which they overlap.
        orientation: rotation and reflection that align the second image with the first; see
            `keypoints.orient`.
        share: fraction of the smaller image in which they overlap.
    """

    first: int
    second: int
    kind: Kind
    correlation: float
    orientation: int
    share: float


class _Candidate(NamedTuple):
    first: int
    second: int
    orientation: int
    shift: tuple[int, int]  # of the center of the second image relative to that of the first, half pixels
    votes: int
    correlation: float


def find_copies(
    pixels: Sequence[str],
    keypoints: Sequence[Keypoints],
    load: Callable[[int], np.ndarray],
    first: Sequence[int] | None = None,
    second: Sequence[int] | None = None,
) -> list[Copy]:
    """Find pairs of images that show the same.

    Args:
        pixels: hash of the pixels of each image.
        keypoints: keypoints of each image.
        load: reads an image by its index as (C, H, W).
        first: indices of the images to search; all if unset.
        second: indices of the images with which they are compared; all if unset.

    Returns:
        Pairs in the order of the first image, the closest first. If an image occurs in `first` and `second`,
        each pair is listed once.
    """
    everything = range(len(pixels))
    first, second = (list(everything if part is None else part) for part in (first, second))
    copies = list(_equal(pixels, first, second))
    known = {frozenset((copy.first, copy.second)) for copy in copies}
    candidates: dict[int, list[_Candidate]] = {}
    for candidate in _candidates(keypoints, first, second):
        pair = frozenset((candidate.first, candidate.second))
        if len(pair) == 2 and pair not in known:
            candidates.setdefault(candidate.first, []).append(candidate)
    plain = _PlainImages(load)
    for index, found in candidates.items():
        for candidate in sorted(found, key=lambda one: (-one.votes, -one.correlation))[:CANDIDATES]:
            pair = frozenset((candidate.first, candidate.second))
            if pair in known:
                continue
            if copy := _compare(plain[index], plain[candidate.second], candidate):
                copies.append(copy)
                known.add(pair)
    order = {index: place for place, index in enumerate(first)}
    return sorted(copies, key=lambda copy: (order[copy.first], RANK[copy.kind], -copy.correlation))


def _equal(pixels: Sequence[str], first: Sequence[int], second: Sequence[int]) -> Iterator[Copy]:
    by_hash: dict[str, list[int]] = {}
    for index in second:
        by_hash.setdefault(pixels[index], []).append(index)
    listed = set()
    for index in first:
        for other in by_hash.get(pixels[index], ()):
            pair = frozenset((index, other))
            if len(pair) == 2 and pair not in listed:
                listed.add(pair)
                yield Copy(index, other, "exact", 1.0, 0, 1.0)


def _candidates(
    keypoints: Sequence[Keypoints], first: Sequence[int], second: Sequence[int]
) -> Iterator[_Candidate]:
    """Pairs of images with matching keypoints, one candidate for each pair: the one with most votes."""
    owners = np.repeat(second, [len(keypoints[index].positions) for index in second])
    if not len(owners):
        return
    references = np.concatenate([keypoints[index].descriptors for index in second]).astype(np.float32)
    positions = np.concatenate([keypoints[index].positions for index in second])
    orientations = np.concatenate([keypoints[index].orientations for index in second])
    for batch in _batches(keypoints, first):
        owner = np.repeat(batch, [len(keypoints[index].positions) for index in batch])
        queries = np.concatenate([keypoints[index].descriptors for index in batch]).astype(np.float32)
        at = np.concatenate([keypoints[index].positions for index in batch])
        turned = np.concatenate([keypoints[index].orientations for index in batch])
        i, j, value = _matches(queries, references, owner, owners)
        orientation = COMPOSED[turned[i], orientations[j]]
        shift = at[i] - np.einsum("nij,nj->ni", MATRICES[orientation], positions[j])
        votes = np.stack(
            [owner[i], owners[j], orientation, *(np.round(shift / TOLERANCE).astype(int).T)], axis=1
        )
        places, inverse, counts = distinct_rows(votes)
        highest = np.zeros(len(places))
        np.maximum.at(highest, inverse, value)
        example = np.empty(len(places), np.intp)
        example[inverse[np.argsort(value, kind="stable")]] = np.argsort(value, kind="stable")
        best: dict[tuple[int, int], _Candidate] = {}
        for place in np.flatnonzero(counts >= VOTES):
            one, two = int(places[place, 0]), int(places[place, 1])
            votes_, correlation = int(counts[place]), float(highest[place])
            before = best.get((one, two))
            if before is None or (votes_, correlation) > (before.votes, before.correlation):
                down, right = (int(part) for part in shift[example[place]])
                best[one, two] = _Candidate(
                    one, two, int(places[place, 2]), (down, right), votes_, correlation
                )
        yield from best.values()


def _batches(keypoints: Sequence[Keypoints], indices: Sequence[int]) -> Iterator[list[int]]:
    """Images with about `BLOCK` descriptors together."""
    batch: list[int] = []
    held = 0
    for index in indices:
        if not len(keypoints[index].positions):
            continue
        batch.append(index)
        held += len(keypoints[index].positions)
        if held >= BLOCK:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _matches(
    queries: np.ndarray, references: np.ndarray, owner: np.ndarray, owners: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The most similar descriptors of other images: their indices and correlations."""
    i, j, value = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    least = np.full((len(queries), 1), ALIKE, np.float32)
    for start in range(0, len(references), OTHERS):
        values = queries @ references[start : start + OTHERS].T
        row, column = np.divmod(np.flatnonzero(values > least), values.shape[1])
        other = owner[row] != owners[start + column]
        row, column = row[other], column[other]
        i, j = np.concatenate([i, row]), np.concatenate([j, start + column])
        value = np.concatenate([value, values[row, column]])
        if len(i) > MATCHES * len(queries):
            i, j, value = _closest(i, j, value)
            last = np.flatnonzero(np.bincount(i, minlength=len(queries)) == MATCHES)
            least[last, 0] = value[np.searchsorted(i, last, side="right") - 1]
    return _closest(i, j, value)


def _closest(i: np.ndarray, j: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The `MATCHES` pairs (i, j) with the highest values for each i, ordered by i, the highest first."""
    order = np.lexsort((-value, i))
    i, j, value = i[order], j[order], value[order]
    kept = np.arange(len(i)) - np.searchsorted(i, i) < MATCHES
    return i[kept], j[kept], value[kept]


class _PlainImages:
    """Gray images by index; the most recently used ones are not read again."""

    def __init__(self, load: Callable[[int], np.ndarray]) -> None:
        self._load = load
        self._recent: dict[int, np.ndarray] = {}  # the least recently used first

    def __getitem__(self, index: int) -> np.ndarray:
        image = self._recent.pop(index, None)
        if image is None:
            image = _plain(self._load(index))
            while len(self._recent) > 1 and self._bytes() + image.nbytes > MEMORY:
                del self._recent[next(iter(self._recent))]
        self._recent[index] = image
        return image

    def _bytes(self) -> int:
        return sum(image.nbytes for image in self._recent.values())


def _plain(image: np.ndarray) -> np.ndarray:
    """Gray image (H, W) without noise and background."""
    gray = image[0].astype(np.float32) if len(image) == 1 else image.mean(axis=0, dtype=np.float32)
    smooth = ndimage.gaussian_filter(gray, SMOOTH, mode="nearest", truncate=3)
    return smooth - ndimage.uniform_filter(smooth, 2 * round(2 * BACKGROUND) + 1, mode="nearest")


def _compare(first: np.ndarray, second: np.ndarray, candidate: _Candidate) -> Copy | None:
    """Compare two gray images (H, W) where they overlap."""
    second = orient(second, candidate.orientation)
    down, across = (
        round((shift - (b - 1) + (a - 1)) / 2)  # of the second image's first pixel
        for a, b, shift in zip(first.shape, second.shape, candidate.shift, strict=True)
    )
    top, left = max(0, down), max(0, across)
    bottom, right = min(first.shape[0], down + second.shape[0]), min(first.shape[1], across + second.shape[1])
    height, width = bottom - top, right - left
    smaller = min(first.size, second.size)
    if min(height, width) <= 0 or height * width < max(LEAST * smaller, min(LEAST_PIXELS, smaller)):
        return None
    if min(height, width) > 4 * MARGIN:  # the filters see pixels of one image that the other lacks
        top, left, bottom, right = top + MARGIN, left + MARGIN, bottom - MARGIN, right - MARGIN
    one = first[top:bottom, left:right].ravel()
    two = second[top - down : bottom - down, left - across : right - across].ravel()
    correlation = _correlation(one, two)
    share = height * width / smaller
    few, whole = candidate.votes < FEW, share >= WHOLE
    if correlation < (CORRELATION if whole and not few else CERTAIN) or (few and not whole):
        return None
    kind: Kind = "overlap"
    if whole:
        kind = "near" if smaller >= WHOLE * max(first.size, second.size) else "crop"
    return Copy(candidate.first, candidate.second, kind, correlation, candidate.orientation, min(1.0, share))


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    one, two = one - one.mean(), two - two.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / norm if norm > 0 else 0.0
