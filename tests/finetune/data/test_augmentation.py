import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.errors import InputError
from finetune.data.augmentation import Augmentation
from finetune.targets.registry import build_target
from finetune.utils.options import build_options

ONLY_GEOMETRY = {"intensity": 0.0, "noise": 0.0}
TARGET = build_target("foreground_boundary")


class Arrows:
    """A target with a direction: its two maps are a vector (y, x) that turns with the image."""

    channels = 2

    def orient(self, maps, rotations, flip):
        for _ in range(rotations):  # np.rot90 sends x to -y, and y to x
            maps = np.rot90(maps, 1, (-2, -1))
            maps = np.stack([-maps[1], maps[0]])
        return np.stack([maps[0], -maps[1]])[..., ::-1] if flip else maps

    def rescale(self, maps, shape):
        return TARGET.rescale(maps, shape)


def blobs(height, width, seed=0):
    from scipy.ndimage import gaussian_filter, label

    field = gaussian_filter(np.random.default_rng(seed).standard_normal((height, width)), 3, mode="mirror")
    return label(field > 0.05)[0].astype(np.int32)


@settings(max_examples=40)
@given(st.integers(5, 60), st.integers(5, 60), st.integers(0, 99))
def test_any_image_gives_a_patch_of_the_right_size_and_maps_stay_maps(height, width, seed):
    labels = blobs(height, width)
    image = np.random.default_rng(1).random((2, height, width), dtype=np.float32)
    rng = np.random.default_rng(seed)
    patch, maps = Augmentation()(image, TARGET.encode(labels), TARGET, 32, rng)
    assert patch.shape == (2, 32, 32)
    assert maps.shape == (2, 32, 32)
    assert patch.dtype == maps.dtype == np.float32
    assert np.isfinite(patch).all()
    assert set(np.unique(maps)) <= {0, 1}


def test_the_same_random_state_gives_the_same_patch():
    image, maps = np.random.default_rng(0).random((1, 50, 60), dtype=np.float32), TARGET.encode(blobs(50, 60))
    first, again, other = (
        Augmentation()(image, maps, TARGET, 32, np.random.default_rng(s)) for s in (7, 7, 8)
    )
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("size", [(50, 40), (20, 23), (32, 12)])
def test_image_and_maps_move_together_exactly(size):
    """The maps are put in as an image as well: after any symmetry, crop and mirrored edge they must agree."""
    maps = TARGET.encode(blobs(*size))
    augment = Augmentation(scale=(1, 1), **ONLY_GEOMETRY)
    seen = set()
    for seed in range(60):
        patch, moved = augment(maps, maps, TARGET, 24, np.random.default_rng(seed))
        assert np.array_equal(patch, moved)
        seen.add(moved.tobytes())
    assert len(seen) > 8


def test_image_and_maps_agree_after_scaling():
    maps = TARGET.encode(blobs(80, 80))[:1]
    augment = Augmentation(scale=(0.7, 1.4), **ONLY_GEOMETRY)
    for seed in range(20):
        patch, moved = augment(maps, maps, TARGET, 48, np.random.default_rng(seed))
        assert ((patch > 0.5) == moved).mean() > 0.98


def test_directions_are_mirrored_with_the_image():
    """Arrows that point down the slope of an image still do, in every symmetry and beyond its edge."""
    y, x = np.mgrid[:20, :26]
    image = (y**2 + 3 * x)[None].astype(np.float32)
    slope = np.stack([2 * y, np.full_like(x, 3)]).astype(np.float32)
    augment = Augmentation(scale=(1, 1), **ONLY_GEOMETRY)
    for seed in range(40):
        patch, arrows = augment(image, slope, Arrows(), 32, np.random.default_rng(seed))
        expected = np.stack(np.gradient(patch[0]))
        wrong = np.abs(arrows - expected).max(axis=0) > 1e-3
        # the difference of neighbors is no slope on a mirror line and at the edge of the patch
        rows, columns = wrong.mean(axis=1) > 0.5, wrong.mean(axis=0) > 0.5
        assert max(rows.sum(), columns.sum()) <= 6
        assert not wrong[~rows][:, ~columns].any()


def test_intensity_changes_the_image_only_and_may_be_switched_off():
    image, maps = np.random.default_rng(0).random((2, 32, 32), dtype=np.float32), TARGET.encode(blobs(32, 32))
    still = Augmentation(symmetries=False, scale=(1, 1), **ONLY_GEOMETRY)
    patch, moved = still(image, maps, TARGET, 32, np.random.default_rng(0))
    assert np.array_equal(patch, image)
    changed, moved = Augmentation(symmetries=False, scale=(1, 1))(
        image, maps, TARGET, 32, np.random.default_rng(0)
    )
    assert np.array_equal(moved, maps)
    assert not np.allclose(changed, image)
    assert np.abs(changed - image).max() < 1


def test_a_constant_image_stays_finite():
    patch, _ = Augmentation()(
        np.zeros((1, 9, 9), np.float32), np.zeros((2, 9, 9)), TARGET, 16, np.random.default_rng(0)
    )
    assert not patch.any()


def test_in_words():
    assert Augmentation().describe() == (
        "random window, the 8 symmetries of the square, scale 0.75 to 1.33, gain, offset and gamma per "
        "channel (strength 0.2), Gaussian noise up to 0.05 standard deviations of the patch"
    )
    assert Augmentation(symmetries=False, intensity=0, noise=0, scale=(1, 1)).describe() == "random window"


@pytest.mark.parametrize(
    "wrong", [{"scale": (1.2, 0.8)}, {"scale": (0, 1)}, {"noise": -1}, {"intensity": -0.1}]
)
def test_what_cannot_be_drawn(wrong):
    with pytest.raises(InputError, match="augmentation"):
        build_options(Augmentation, wrong, "augmentation")
