"""Cached target maps: encoded once per image, written atomically, deleted at the end."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from full_disk import nearly_full_disk

from finetune.data.augmentation import Augmentation
from finetune.data.datamodule import SegmentationData
from finetune.data.normalization import Percentile
from finetune.data.pairs import find_pairs
from finetune.data.target_cache import MapStore, read
from finetune.targets.flows import Flows
from finetune.targets.registry import build_target


class Counting(Flows):
    """Writes down, in a file that all processes share, each time that it encodes."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def encode(self, labels: np.ndarray) -> np.ndarray:
        with self.log.open("a") as file:
            file.write("x")
        return super().encode(labels)


def labels(seed: int = 0) -> np.ndarray:
    return np.kron(np.random.default_rng(seed).integers(0, 4, (4, 5)), np.ones((6, 6))).astype(np.int32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for index in range(3):
        for kind, pixels in (("images", 20 * labels(index)), ("masks", labels(index))):
            (tmp_path / "data" / "train" / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / "data" / "train" / kind / f"{index}.tif", pixels.astype(np.uint8))
    return tmp_path / "data"


def data(root: Path, target, **options) -> SegmentationData:
    still = Augmentation(intensity=0, noise=0)
    defaults = {
        "label_kind": "instances",
        "channels": "auto",
        "augmentation": still,
        "patch": 16,
        "batch_size": 3,
    }
    return SegmentationData(find_pairs(root), target, Percentile(), **defaults | options)


def test_what_is_read_is_what_was_encoded(tmp_path: Path) -> None:
    for name in ("flows", "rays"):
        target = build_target(name)
        store = MapStore(tmp_path / "maps", target)
        maps, expected = read(store.keep(labels())), target.encode(labels())
        assert maps.dtype == np.float16
        np.testing.assert_allclose(maps, expected, rtol=2**-11, atol=1e-7)
        np.testing.assert_array_equal(maps[:, 3:9, 2:5], maps[:][:, 3:9, 2:5])
        assert isinstance(maps.base, np.memmap)


def test_one_file_for_the_same_labels_and_another_for_others(tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    store = MapStore(folder, build_target("rays"))
    assert store.keep(labels()) == store.keep(labels().copy())
    others = [MapStore(folder, build_target("rays", {"rays": 8})), MapStore(folder, build_target("flows"))]
    assert len({store.keep(labels()), store.keep(labels(1)), *(each.keep(labels()) for each in others)}) == 4
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_each_image_is_encoded_once_and_not_once_an_epoch(tmp_path: Path, root: Path, workers: int) -> None:
    log = tmp_path / "log"
    module = data(root, Counting(log), workers=workers)
    module.keep_maps(tmp_path / "maps")
    loader = module.train_dataloader()
    for _ in range(3):
        for _ in loader:
            pass
    assert log.read_text() == "xxx"
    again = data(root, Counting(log))  # a run taken up again
    again.keep_maps(tmp_path / "maps")
    next(iter(again.train_dataloader()))
    assert log.read_text() == "xxx"
    again.forget_maps()
    assert not (tmp_path / "maps").exists()


def test_patches_are_those_without_a_store(root: Path) -> None:
    kept, encoded = Flows(), Flows()
    encoded.keep_encoded = False
    for one, other in zip(*(data(root, t).train_dataloader() for t in (kept, encoded)), strict=True):
        assert torch.equal(one["image"], other["image"])
        assert one["maps"].dtype == torch.float32
        torch.testing.assert_close(one["maps"], other["maps"], rtol=2**-11, atol=1e-6)


def test_a_temporary_folder_goes_with_the_data(root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    module = data(root, build_target("flows"))
    next(iter(module.train_dataloader()))
    assert list(tmp_path.glob("finetune-*/*.npy"))
    module.forget_maps()
    assert not list(tmp_path.glob("finetune-*"))


def _keep(folder: Path, results) -> None:
    path = MapStore(folder, build_target("flows")).keep(labels())
    results.put(float(np.abs(read(path)).sum()))


def test_processes_may_write_the_same_at_the_same_time(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    processes = [fork.Process(target=_keep, args=(tmp_path / "maps", results)) for _ in range(4)]
    for process in processes:
        process.start()
    sums = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(sums) == 1
    assert [path.suffix for path in (tmp_path / "maps").iterdir()] == [".npy"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    store = MapStore(tmp_path / "maps", build_target("rays"))
    with nearly_full_disk(), pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as raised:
        store.keep(labels())
    assert raised.value.errno == errno.EFBIG
    assert list((tmp_path / "maps").iterdir()) == []
