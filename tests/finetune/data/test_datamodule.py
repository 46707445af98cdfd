import pickle

import numpy as np
import pytest
import pytorch_lightning as pl
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st

from cards.errors import InputError
from finetune.data.augmentation import Augmentation
from finetune.data.datamodule import SegmentationData
from finetune.data.normalization import Percentile
from finetune.data.pairs import find_pairs
from finetune.data.sampler import EpochBatches, PatchIndex
from finetune.targets.registry import build_target


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split, count in (("train", 5), ("validation", 3), ("test", 2)):
        for kind in ("images", "masks"):
            (root / split / kind).mkdir(parents=True)
        for index in range(count):
            shape = (20 + index, 24)
            labels = np.kron(np.arange(9).reshape(3, 3), np.ones((8, 8)))[: shape[0], :24].astype(np.uint8)
            labels = np.pad(labels, ((0, shape[0] - len(labels)), (0, 0)))
            noise = rng.integers(0, 60, shape)
            tifffile.imwrite(
                root / split / "images" / f"{index}.tif", (labels * 20 + noise).astype(np.uint16)
            )
            tifffile.imwrite(root / split / "masks" / f"{index}.tif", labels)
    return root


def data(root, **changes):
    options = {
        "label_kind": "instances",
        "channels": "auto",
        "augmentation": Augmentation(),
        "patch": 16,
        "batch_size": 2,
        "images_per_epoch": None,
        "workers": 0,
        "seed": 0,
    }
    return SegmentationData(find_pairs(root), build_target("foreground"), Percentile(), **options | changes)


class Recorder(pl.LightningModule):
    """Learns next to nothing, and remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 1, 1)
        self.seen = []

    def training_step(self, batch, index):
        self.seen.append((self.current_epoch, batch["image"].clone()))
        return (self.layer(batch["image"]) - batch["maps"]).square().mean()

    def validation_step(self, batch, index):
        assert batch["image"].shape[0] == 1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(root, folder, epochs, checkpoint=None, at_train_end=None, **changes):
    module = Recorder()
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[
            pl.callbacks.ModelCheckpoint(folder, save_last=True, save_on_train_epoch_end=at_train_end)
        ],
    )
    trainer.fit(module, datamodule=data(root, **changes), ckpt_path=checkpoint)
    return module.seen


def test_batches(root):
    module = data(root)
    batches = list(module.train_dataloader())
    assert len(batches) == module.batches_per_epoch == 3  # five images, whole batches of two
    for batch in batches:
        assert batch["image"].shape == batch["maps"].shape == (2, 1, 16, 16)
        assert batch["image"].dtype == batch["maps"].dtype == torch.float32
    assert data(root, images_per_epoch=16).batches_per_epoch == 8


def test_whole_images_to_measure_on(root):
    module = data(root)
    for split, loader in (("validation", module.val_dataloader()), ("test", module.test_dataloader())):
        samples = list(module.samples(split))
        for batch, sample in zip(loader, samples, strict=True):
            assert batch["name"] == [sample.name]
            assert batch["image"].dtype == torch.float32
            assert np.array_equal(batch["image"][0].numpy(), Percentile()(sample.pixels))
            assert np.array_equal(batch["labels"][0].numpy(), sample.labels)
            assert sample.pixels.dtype == np.uint16
            assert sample.labels.dtype == np.int32


@given(st.integers(1, 9), st.integers(1, 5), st.sampled_from([1, 2, 4]), st.integers(1, 4))
def test_every_image_as_often_as_every_other_and_processes_share_a_batch(images, batches, world, epochs):
    def drawn(rank, world_size, epoch):
        return list(EpochBatches(images, batches, 4, 0, lambda: epoch, rank, world_size))

    together = [batch for epoch in range(epochs) for batch in drawn(0, 1, epoch)]
    counts = np.bincount([draw.image for batch in together for draw in batch], minlength=images)
    assert counts.max() - counts.min() <= 1
    shares = [[b for epoch in range(epochs) for b in drawn(rank, world, epoch)] for rank in range(world)]
    assert [sum(parts, []) for parts in zip(*shares, strict=True)] == together


def test_epochs_differ_and_workers_do_not_matter(root, tmp_path):
    alone = fit(root, tmp_path / "a", 3)
    helped = fit(root, tmp_path / "b", 3, workers=2)
    assert [epoch for epoch, _ in alone] == [0] * 3 + [1] * 3 + [2] * 3
    for (_, one), (_, other) in zip(alone, helped, strict=True):
        assert torch.equal(one, other)
    assert len({image.numpy().tobytes() for _, image in alone}) == 9


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 8))
def test_an_image_shows_its_views_in_turn_however_long_an_epoch_is(images, views, batches, epochs):
    shown = {image: [] for image in range(images)}
    for epoch in range(epochs):
        for batch in EpochBatches(images, batches, 3, 0, lambda: epoch, views=views):  # noqa: B023
            for draw in batch:
                shown[draw.image].append(draw.view)
    for seen in shown.values():
        assert seen == [turn % views for turn in range(len(seen))]


@pytest.mark.parametrize("workers", [0, 2])
def test_views_are_the_same_patches_again(root, tmp_path, workers):
    seen = fit(root, tmp_path, 4, views=2, batch_size=1, workers=workers)
    epochs = [{image.numpy().tobytes() for at, image in seen if at == epoch} for epoch in range(4)]
    assert [len(patches) for patches in epochs] == [5] * 4
    assert epochs[0] == epochs[2]
    assert epochs[1] == epochs[3]
    assert not epochs[0] & epochs[1]
    again = data(root, views=2, batch_size=5, seed=0).train_dataloader()
    assert {image.numpy().tobytes() for image in next(iter(again))["image"]} == epochs[0]
    other = data(root, views=2, batch_size=5, seed=1).train_dataloader()
    assert not {image.numpy().tobytes() for image in next(iter(other))["image"]} & (epochs[0] | epochs[1])


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    "at_train_end", [False, True]
)  # both places at which Lightning may write a checkpoint
def test_a_run_taken_up_again_sees_what_an_unbroken_one_does(root, tmp_path, workers, at_train_end):
    options = {"workers": workers, "at_train_end": at_train_end}
    unbroken = fit(root, tmp_path / "a", 4, **options)
    first = fit(root, tmp_path / "b", 2, **options)
    rest = fit(root, tmp_path / "b", 4, tmp_path / "b" / "last.ckpt", **options)
    for (epoch, one), (again, other) in zip(unbroken, first + rest, strict=True):
        assert epoch == again
        assert torch.equal(one, other)


def test_the_network_sees_chosen_channels_and_samples_keep_all(tmp_path):
    for kind, shape in (("images", (3, 20, 20)), ("masks", (20, 20))):
        (tmp_path / "train" / kind).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 9, shape).astype(np.uint8)
        tifffile.imwrite(tmp_path / "train" / kind / "a.tif", pixels, photometric="minisblack")
    module = data(tmp_path, channels=[2], batch_size=1)
    assert next(iter(module.train_dataloader()))["image"].shape == (1, 1, 16, 16)
    assert next(module.samples("train")).pixels.shape == (3, 20, 20)


def test_another_seed_gives_other_patches(root):
    first, second = (next(iter(data(root, seed=seed).train_dataloader())) for seed in (0, 1))
    assert not torch.equal(first["image"], second["image"])


def test_a_patch_has_no_false_edges(root):
    """Maps are those of the whole image, cut: an instance cut by the window has no boundary there."""
    target = build_target("foreground_boundary")
    still = Augmentation(symmetries=False, intensity=0, noise=0, scale=(1, 1))
    options = {
        "label_kind": "instances",
        "channels": "auto",
        "augmentation": still,
        "patch": 16,
        "batch_size": 1,
    }
    module = SegmentationData(find_pairs(root), target, Percentile(), **options)
    whole = [target.encode(sample.labels) for sample in module.samples("train")]
    for batch in module.train_dataloader():
        windows = [
            np.lib.stride_tricks.sliding_window_view(maps, (16, 16), axis=(1, 2)).transpose(1, 2, 0, 3, 4)
            for maps in whole
        ]
        assert any((view == batch["maps"][0].numpy()).all(axis=(2, 3, 4)).any() for view in windows)


def test_a_batch_that_cannot_be_shared(root):
    module = data(root, batch_size=3)
    module.trainer = type("Trainer", (), {"global_rank": 0, "world_size": 2, "current_epoch": 0})()
    with pytest.raises(InputError, match=r"training\.batch_size is 3: it must be a multiple .* 2"):
        module.train_dataloader()


def test_processes_measure_every_image_once(root):
    names = []
    for rank in (0, 1):
        module = data(root)
        module.trainer = type("Trainer", (), {"global_rank": rank, "world_size": 2, "current_epoch": 0})()
        names += [batch["name"][0] for batch in module.val_dataloader()]
    assert sorted(names) == ["0", "1", "2"]


def test_data_sets_go_to_workers_that_are_spawned(root):
    loader = data(root).train_dataloader()
    draw = next(iter(loader.batch_sampler))[0]
    again = pickle.loads(pickle.dumps(loader.dataset))
    assert torch.equal(again[draw]["image"], loader.dataset[draw]["image"])


def test_without_train_images(root):
    module = data(root)
    module.pairs = module.of("test")
    with pytest.raises(InputError, match="no image to train on"):
        module.train_dataloader()


def test_squared_a_patch_shows_the_whole_image_whatever_its_proportions(root):
    still = Augmentation(symmetries=False, intensity=0, noise=0, scale=(1, 1))
    squared = data(root, augmentation=still, squared=True, patch=12).patches()
    cut = data(root, augmentation=still, patch=12).patches()
    pair = squared.pairs[0]
    height, width = tifffile.imread(pair.image).shape
    assert height != width
    patches = [squared[PatchIndex(0, 0, number)] for number in range(3)]
    assert all(torch.equal(patch["image"], patches[0]["image"]) for patch in patches)
    assert not torch.equal(cut[PatchIndex(0, 0, 0)]["image"], cut[PatchIndex(0, 0, 1)]["image"])
    means = [image.mean() for image in (patches[0]["image"], torch.from_numpy(squared.reader.image(pair)))]
    assert abs(means[0] - means[1]) < 0.02
    there = (squared.reader.labels(pair) > 0).mean()
    assert abs(patches[0]["maps"].mean() - there) < 0.05
