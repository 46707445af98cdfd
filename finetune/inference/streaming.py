"""Prediction of an image of any size: read, predicted and decoded part by part, with finished parts on disk.

Three stages, each of which continues where a killed process stopped: the statistics of the whole image, the
maps of each tile, the labels of each block. While the network runs, the next tiles are read and the
last ones are written by other threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import torch

from finetune.inference.label_bands import LabelBands
from finetune.inference.stream import Report, Stream

AHEAD = 2  # batches that are read before they are needed
BEHIND = 4  # tiles that wait to be written

Progress = Report

T = TypeVar("T")


def segment_stream(stream: Stream, progress: Progress | None = None) -> LabelBands:
    """Predict the label image of an image of any size.

    Args:
        stream: model, image and finished parts.
        progress: called after each part.

    Returns:
        The label image, read in bands from the finished parts.

    Raises:
        DataError: if the image cannot be read, or has pixels that are not finite.
        OSError: if the disk is full.
    """
    report = progress or (lambda stage, done, total: None)
    predict_tiles(stream, report)
    total = sum(map(len, stream.blocks))
    missing = stream.job.missing("blocks", total)
    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        for done, _ in enumerate(pool.map(stream.decode, missing), total - len(missing) + 1):
            report("finding instances", done, total)
    return stream.labels()


def predict_tiles(stream: Stream, report: Progress) -> None:
    """Predict the maps of all tiles that are not finished.

    Args:
        stream: model, image and finished parts.
        report: called with a stage, finished parts and all parts.
    """
    total = len(stream.tiles)
    missing = stream.job.missing("tiles", total)
    if not missing:
        return
    statistics = stream.measure(report)
    size = stream.batch
    batches = [missing[start : start + size] for start in range(0, len(missing), size)]

    def load(numbers: list[int]) -> tuple[list[int], list[torch.Tensor]]:
        return numbers, stream.read_tiles(numbers, statistics)

    done = total - len(missing)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: deque[Future[None]] = deque()
        for numbers, images in _ahead(reader, load, batches):
            for number, maps in zip(numbers, stream.predict(numbers, images), strict=True):
                written.append(writer.submit(stream.save_tile, number, maps))
            while len(written) > BEHIND:
                written.popleft().result()
            done += len(numbers)
            report("predicting", done, total)
        for future in written:
            future.result()


def _ahead(pool: ThreadPoolExecutor, load: Callable[[Any], T], items: Iterable[Any]) -> Iterator[T]:
    """Results of a function in order, computed in another thread before they are needed."""
    waiting = iter(items)
    futures = deque(pool.submit(load, item) for item in islice(waiting, AHEAD))
    while futures:
        result = futures.popleft().result()
        futures.extend(pool.submit(load, item) for item in islice(waiting, 1))
        yield result
