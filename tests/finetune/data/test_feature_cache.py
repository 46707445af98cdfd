"""Cached encoder features: written once, atomically, and keyed by image and encoder."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from full_disk import nearly_full_disk
from torch import nn

from cards.errors import InputError
from finetune.data.augmentation import Augmentation
from finetune.data.datamodule import SegmentationData
from finetune.data.feature_cache import FeatureStore, widen
from finetune.data.normalization import Percentile
from finetune.data.pairs import find_pairs
from finetune.targets.registry import build_target

SETTINGS = {"precision": "32-true"}


class Encoder(nn.Module):
    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fine, self.coarse = nn.Conv2d(1, 8, 4, stride=4), nn.Conv2d(8, 16, 2, stride=2)
        self.scale, self.images = scale, 0

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.images += len(images)
        fine = self.scale * self.fine(images)
        return fine, self.coarse(fine)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for index in range(3):
        labels = np.kron(rng.integers(0, 4, (5, 5)), np.ones((8, 8))).astype(np.uint8)
        noisy = (labels * 40 + rng.integers(0, 30, labels.shape)).astype(np.uint8)
        for kind, pixels in (("images", noisy), ("masks", labels)):
            (tmp_path / "data" / "train" / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / "data" / "train" / kind / f"{index}.tif", pixels)
    return tmp_path / "data"


def data(root: Path, target: str = "foreground", **changes) -> SegmentationData:
    options = {
        "label_kind": "instances",
        "channels": "auto",
        "augmentation": Augmentation(),
        "patch": 32,
        "batch_size": 3,
        "views": 2,
    }
    return SegmentationData(find_pairs(root), build_target(target), Percentile(), **options | changes)


def store(folder: Path, encoder: nn.Module | None = None, **settings) -> FeatureStore:
    with torch.no_grad():
        return FeatureStore(folder / "features", encoder or Encoder(), SETTINGS | settings)


@torch.inference_mode()
def test_an_image_is_encoded_once_and_its_features_are_right_to_half_precision(tmp_path: Path) -> None:
    encoder = Encoder()
    kept, image = store(tmp_path, encoder), torch.randn(1, 1, 32, 48)
    first, again = kept(image), kept(image.clone())
    assert encoder.images == 1
    for one, other, exact in zip(first, again, encoder(image), strict=True):
        assert one.dtype == torch.float16
        assert torch.equal(one, other)
        wide = widen([one], torch.float32)[0]
        assert wide.shape == exact.shape
        torch.testing.assert_close(wide, exact, rtol=2**-11, atol=3e-8)
    kept(image + 1e-3)
    assert encoder.images == 3


def test_a_file_is_another_one_for_anything_that_features_depend_on(tmp_path: Path) -> None:
    image = torch.randn(1, 1, 32, 32)
    other = Encoder()
    other.fine.bias.data[0] += 1e-6
    stores = [
        store(tmp_path),
        store(tmp_path, other),
        store(tmp_path, precision="bf16-mixed"),
    ]
    with torch.inference_mode():
        for each in stores:
            each(image)
            each(image.transpose(-2, -1))
    assert len(list((tmp_path / "features").iterdir())) == 6
    assert store(tmp_path).path("a") == stores[0].path("a")


@pytest.mark.parametrize(
    "changes",
    [
        {"patch": 16},
        {"seed": 1},
        {"augmentation": Augmentation(noise=0.3)},
        {"channels": "gray"},
        {"target": "flows"},
    ],
)
def test_a_view_is_another_one_for_anything_it_depends_on(tmp_path: Path, root: Path, changes) -> None:
    kept = store(tmp_path)
    paths = data(root).use_features(kept).paths
    assert data(root, workers=1, batch_size=1).use_features(kept).paths == paths
    changed = data(root, **changes).use_features(kept).paths
    assert not {path for image in paths for path in image} & {path for image in changed for path in image}
    assert len({path for image in paths for path in image}) == 6


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_changed_pixels_are_another_view(tmp_path: Path, root: Path, kind: str) -> None:
    kept = store(tmp_path)
    before = data(root).use_features(kept).paths
    path = root / "train" / kind / "1.tif"
    pixels = tifffile.imread(path)
    pixels[0, 0] ^= 1
    tifffile.imwrite(path, pixels)
    after = data(root).use_features(kept).paths
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_batches_of_features_are_what_the_encoder_gives_for_the_batches_of_images(
    tmp_path: Path, root: Path
) -> None:
    kept, plain, cached = store(tmp_path), data(root), data(root, workers=1)
    features = cached.use_features(kept)
    with torch.inference_mode():
        for draw in features.draws():
            patch = plain.patches()[draw]
            encoded = kept.encode(patch["image"][None])
            kept.keep(features.path(draw), [level[0] for level in encoded], patch["maps"])
        for batch, other in zip(plain.train_dataloader(), cached.train_dataloader(), strict=True):
            assert "image" not in other
            assert torch.equal(batch["maps"], other["maps"].float())  # 0 and 1
            for level, exact in zip(
                widen(other["features"], torch.float32), kept.encoder(batch["image"]), strict=True
            ):
                torch.testing.assert_close(level, exact, rtol=2**-11, atol=1e-6)
                assert level.is_contiguous(memory_format=torch.channels_last)


def test_features_too_large_for_half_precision(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"exceed the range of float16; set training\.cache=false"):
        store(tmp_path, Encoder(scale=1e6))(torch.randn(1, 1, 32, 32))
    assert not (tmp_path / "features").exists()


def test_too_little_room_is_said_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"need 1e\+06 GB, and [\d.]+ GB are free: lower training\.views"):
        store(tmp_path).check_room(10**15)
    store(tmp_path).check_room(1000)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    message = r"cannot keep features: File too large; lower training\.views"
    with nearly_full_disk(1024), pytest.raises(InputError, match=message):
        store(tmp_path)(torch.randn(1, 1, 64, 64))
    assert list((tmp_path / "features").iterdir()) == []


def _encode(folder: Path, results) -> None:
    torch.set_num_threads(1)
    with torch.inference_mode():
        image = torch.linspace(0, 1, 64 * 64).view(1, 1, 64, 64)
        results.put(sum(float(level.float().sum()) for level in store(folder)(image)))


def test_processes_may_write_the_same_at_the_same_time(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    results = spawn.Queue()
    processes = [spawn.Process(target=_encode, args=(tmp_path, results)) for _ in range(3)]
    for process in processes:
        process.start()
    sums = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(sums) == 1
    assert [path.suffix for path in (tmp_path / "features").iterdir()] == [".safetensors"]
