import io
import itertools
import tracemalloc

import numpy as np
import pytest
from field import make_field
from PIL import Image

from cards.fingerprint import sha256_pixels
from finetune.data import near_duplicates
from finetune.data.keypoints import COMPOSED, MATRICES, Keypoints, find_keypoints, orient
from finetune.data.near_duplicates import find_copies

SIDE = 128
IMAGES = [make_field(SIDE, SIDE, seed) for seed in range(12)]


def as_jpeg(image, quality=75):
    file = io.BytesIO()
    Image.fromarray(image[0]).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))[None]


def copies(planted, **options):
    images = [*IMAGES, planted]
    hashes, keypoints = [sha256_pixels(i) for i in images], [find_keypoints(i) for i in images]
    return find_copies(hashes, keypoints, images.__getitem__, [len(IMAGES)], **options)


CHANGES = {
    "JPEG": as_jpeg,
    "brighter": lambda image: np.clip(image * 1.3 + 20, 0, 255).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255) ** 0.6).astype(np.uint8),
    "16 bit": lambda image: image.astype(np.uint16) * 257,
    "mirrored": lambda image: image[:, :, ::-1],
    **{f"orientation {number}": lambda image, number=number: orient(image, number) for number in range(1, 8)},
    "all at once": lambda image: orient(as_jpeg(np.clip(image * 0.8 + 10, 0, 255).astype(np.uint8)), 6),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change):
    (copy,) = copies(CHANGES[change](IMAGES[3]))
    assert (copy.second, copy.kind) == (3, "near")


def test_a_copy_with_equal_pixels_is_exact():
    (copy,) = copies(IMAGES[5].copy())
    assert (copy.second, copy.kind, copy.correlation) == (5, "exact", 1.0)


@pytest.mark.parametrize("number", range(8))
def test_a_part_of_an_image_is_found(number):
    (copy,) = copies(orient(IMAGES[7][:, 21:101, 30:120], number))
    assert (copy.second, copy.kind, copy.share) == (7, "crop", 1.0)
    assert np.array_equal(MATRICES[copy.orientation] @ MATRICES[0].T, MATRICES[number])


def test_overlapping_tiles_are_found_with_the_share_in_which_they_overlap():
    field = make_field(SIDE, 2 * SIDE, 99)
    images = [field[:, :, :SIDE], field[:, :, 70 : 70 + SIDE], *IMAGES]
    keypoints = [find_keypoints(image) for image in images]
    (copy,) = find_copies([sha256_pixels(i) for i in images], keypoints, images.__getitem__)
    assert {copy.first, copy.second} == {0, 1}
    assert copy.kind == "overlap"
    assert copy.share == pytest.approx((SIDE - 70) / SIDE)


def test_unrelated_images_are_not_related():
    assert copies(make_field(SIDE, SIDE, 77)) == []
    assert copies(np.full((1, SIDE, SIDE), 9, np.uint8)) == []
    assert copies(np.zeros((1, 3, 3), np.uint8)) == []


def test_few_unrelated_images_are_read_again():
    read = []

    def load(index):
        read.append(index)
        return IMAGES[index]

    assert find_copies([str(i) for i in range(12)], [find_keypoints(i) for i in IMAGES], load) == []
    assert len(read) <= 4  # of 66 pairs


@pytest.mark.parametrize("memory", [2**28, 0])
def test_images_with_several_relatives_are_read_once_if_memory_allows(memory, monkeypatch):
    monkeypatch.setattr(near_duplicates, "MEMORY", memory)
    images = [
        IMAGES[7],
        *(orient(IMAGES[7][:, 21:101, 30:120], number) for number in range(1, 4)),
        *IMAGES[:3],
    ]
    read = []

    def load(index):
        read.append(index)
        return images[index]

    hashes, keypoints = [sha256_pixels(i) for i in images], [find_keypoints(i) for i in images]
    found = find_copies(hashes, keypoints, load)
    assert {frozenset((copy.first, copy.second)) for copy in found} == {
        frozenset(pair) for pair in itertools.combinations(range(4), 2)
    }
    assert (len(read) > len(set(read))) == (memory == 0)


def test_what_is_kept_of_an_image_does_not_grow_with_its_size():
    keypoints = find_keypoints(np.random.default_rng(0).random((1, 900, 900), np.float32))
    assert sum(array.nbytes for array in keypoints) < 20_000


def random_keypoints(rng, number=50):
    descriptors = rng.standard_normal((number, 27))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    positions = rng.integers(-SIDE, SIDE, (number, 2), np.int32)
    return Keypoints(positions, np.zeros(number, np.int8), descriptors.astype(np.float16))


def near(keypoints, rng):
    moved = keypoints.descriptors + rng.normal(0, 0.03, keypoints.descriptors.shape)
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float16)


def test_a_copy_is_found_among_many_images_in_little_memory():
    rng = np.random.default_rng(0)
    copied = find_keypoints(IMAGES[0])
    keypoints = [copied, *(random_keypoints(rng) for _ in range(3000)), copied]
    tracemalloc.start()
    (copy,) = find_copies([str(i) for i in range(3002)], keypoints, lambda _: IMAGES[0], range(10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (copy.first, copy.second, copy.kind) == (0, 3001, "near")
    assert peak < 2**26  # all correlations at once take 300 MB


def test_only_the_most_similar_descriptors_are_candidates():
    rng = np.random.default_rng(0)
    copied = find_keypoints(IMAGES[0])
    decoys = [Keypoints(copied.positions, copied.orientations, near(copied, rng)) for _ in range(200)]
    found = near_duplicates._candidates([copied, *decoys, copied], [0], range(1, 202))
    assert {one.second for one in found if one.votes > len(copied.positions) / 2} == {201}


def test_orientations_compose():
    image = np.arange(12).reshape(3, 4)
    for one in range(8):
        for two in range(8):
            # what turns `two` of an image as `one` of it
            assert np.array_equal(orient(orient(image, COMPOSED[one, two]), one), orient(image, two))
