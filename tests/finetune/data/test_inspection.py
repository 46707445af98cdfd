import numpy as np
import pytest
import tifffile

from cards.errors import InputError
from cards.fingerprint import sha256_file
from finetune.data.inspection import check_data
from finetune.data.mask_checks import check_mask
from finetune.data.pairs import find_pairs
from finetune.data.splits import assign_splits

RANDOM = np.random.default_rng(0)


def data(root, images, masks, test=0.0):
    for kind, arrays in (("images", images), ("masks", masks)):
        (root / kind).mkdir()
        for index, array in enumerate(arrays):
            tifffile.imwrite(root / kind / f"{index}.tif", array)
    return assign_splits(find_pairs(root), validation=0, test=test)[0]


def noise(*shape):
    return RANDOM.integers(0, 255, shape or (16, 20)).astype(np.uint8)


def cells(shape=(16, 20)):
    mask = np.zeros(shape, np.uint16)
    mask[1:5, 1:5], mask[8:12, 8:12] = 1, 7
    return mask


def test_what_the_record_says_of_a_file(tmp_path):
    pairs = data(tmp_path, [noise() for _ in range(9)], [cells()] * 9)
    seen = []
    files, warnings = check_data(
        pairs, "instances", "instances", "auto", tmp_path, lambda *done: seen.append(done)
    )
    assert [file.name for file in files] == [str(i) for i in range(9)]
    assert seen == [(i + 1, 9) for i in range(9)]
    assert not warnings
    assert files[3].image == "images/3.tif"
    assert files[3].shape == [1, 16, 20]
    assert files[3].dtype == "uint8"
    assert files[3].instances == 2
    assert files[3].image_sha256 == sha256_file(tmp_path / "images" / "3.tif")


def test_no_path_outside_the_root_gets_into_the_record(tmp_path):
    pairs = data(tmp_path, [noise()], [cells()])
    (tmp_path / "elsewhere").mkdir()
    files, _ = check_data(pairs, "instances", "instances", "auto", tmp_path / "elsewhere")
    assert files[0].image == "0.tif"


def test_sizes_that_differ(tmp_path):
    pairs = data(tmp_path, [noise()], [cells((20, 16))])
    with pytest.raises(InputError, match=r"0\.tif: is 16 × 20 but its mask 0\.tif is 20 × 16 pixels"):
        check_data(pairs, "instances", "instances", "auto", tmp_path)


def test_channels_must_agree_under_the_selection(tmp_path):
    pairs = data(tmp_path, [noise(), noise(16, 20, 3)], [cells()] * 2)
    with pytest.raises(InputError, match=r"1\.tif: has 3 channels but 0\.tif has 1: set data\.channels"):
        check_data(pairs, "instances", "instances", "auto", tmp_path)
    files, _ = check_data(pairs, "instances", "instances", "gray", tmp_path)
    assert [file.shape[0] for file in files] == [1, 3]


def test_one_empty_mask_is_fine_but_not_all(tmp_path):
    pairs = data(tmp_path, [noise(), noise()], [cells(), np.zeros((16, 20), np.uint8)])
    assert [f.instances for f in check_data(pairs, "instances", "instances", "auto", tmp_path)[0]] == [2, 0]
    tifffile.imwrite(tmp_path / "masks" / "0.tif", np.zeros((16, 20), np.uint8))
    for label_kind in ("instances", "foreground", "boundary"):
        with pytest.raises(InputError, match="no object in 2 masks of the training images"):
            check_data(pairs, label_kind, "instances", "auto", tmp_path)


def test_a_test_image_that_is_a_train_image_is_told(tmp_path):
    same = noise()
    pairs = data(tmp_path, [same, same.astype(np.uint16)], [cells()] * 2, test=0.5)
    _, warnings = check_data(pairs, "instances", "instances", "auto", tmp_path)
    assert len(warnings) == 1
    assert "1 test image with the same pixels as a training image" in warnings[0]


def test_flat_images_and_foreground_taken_for_instances_are_told(tmp_path):
    pairs = data(tmp_path, [noise(), np.zeros((16, 20), np.uint8)], [(cells() > 0) * np.uint8(255)] * 2)
    _, warnings = check_data(pairs, "instances", "instances", "auto", tmp_path)
    assert any("1 image with a single value in all pixels" in warning for warning in warnings)
    assert any("is data.labels instances right" in warning for warning in warnings)
    assert len(check_data(pairs, "foreground", "instances", "auto", tmp_path)[1]) == 1


def test_bad_files_are_named(tmp_path):
    pairs = data(tmp_path, [noise(), np.full((16, 20), np.nan, np.float32)], [cells(), cells()])
    with pytest.raises(InputError, match=r"images/1\.tif: 320 of 320 values are NaN"):
        check_data(pairs, "instances", "instances", "auto", tmp_path)
    tifffile.imwrite(tmp_path / "masks" / "0.tif", (cells() / 2).astype(np.float32))
    with pytest.raises(InputError, match=r"masks/0\.tif: holds float32 values"):
        check_data(pairs, "instances", "instances", "auto", tmp_path)


def blobs(value=255, side=64):
    mask = np.zeros((side, side), np.uint16)
    for row in range(4, side - 8, 16):
        for column in range(4, side - 8, 16):
            mask[row : row + 8, column : column + 8] = value
    mask[: side // 2, : side // 2] = 0  # no symmetry
    return mask


def test_each_suspicious_mask_is_named_with_numbers_and_the_right_setting(tmp_path):
    good = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)  # a different label in each square
    good = np.where(blobs(), good[::16, ::16].repeat(16, 0).repeat(16, 1) + 1, 0).astype(np.uint16)
    pairs = data(tmp_path, [noise(64, 64) for _ in range(3)], [good, blobs(), good])
    _, warnings = check_data(pairs, "instances", "instances", "auto", tmp_path)
    (warning,) = [line for line in warnings if "masks" in line]
    assert warning.startswith("1 of 3 masks look like class masks")
    assert "data.labels=foreground" in warning
    assert warning.endswith("1 (12 separate objects with 1 label, 12 of them with label 255)")
    _, warnings = check_data(pairs, "foreground", "instances", "auto", tmp_path)
    assert not any("masks" in line for line in warnings)


def test_boundaries_with_gaps_get_one_advice(tmp_path):
    lines = np.zeros((64, 64), np.uint8)
    lines[10::20] = lines[11::20] = lines[:, 10::20] = lines[:, 11::20] = 255
    gaps = lines.copy()
    gaps[20::20] = gaps[21::20] = gaps[:, 20::20] = gaps[:, 21::20] = 0  # crosses that enclose nothing
    assert check_mask(gaps.astype(np.int32), "instances").kind == "classes"
    pairs = data(tmp_path, [noise(64, 64) for _ in range(3)], [lines, gaps, lines])
    _, warnings = check_data(pairs, "instances", "instances", "auto", tmp_path)
    (warning,) = [line for line in warnings if "mask" in line]
    assert warning.startswith("2 of 3 masks look like boundaries, thin lines that enclose objects: set data.")
    assert not check_data(pairs, "boundary", "boundary", "auto", tmp_path)[1]


def test_masks_that_were_turned_are_named(tmp_path):
    image = noise(64, 64) // 4 + (blobs(120) > 0).astype(np.uint8) * 120
    pairs = data(tmp_path, [image] * 2, [blobs(), np.ascontiguousarray(np.rot90(blobs(), 2))])
    _, warnings = check_data(pairs, "foreground", "instances", "auto", tmp_path)
    assert any("1 of 2 masks fit their images better if moved" in line for line in warnings)
    assert any("1 (rotated by 180°: correlation 0." in line for line in warnings)


def test_sparse_and_saturated_images_and_many_channels_are_named(tmp_path):
    sparse = np.zeros((64, 64), np.uint8)
    sparse[3, 4] = 255
    pairs = data(tmp_path, [sparse, 255 - sparse, noise(64, 64)], [blobs()] * 3)
    _, warnings = check_data(pairs, "foreground", "instances", "auto", tmp_path)
    assert any("2 images with one value in nearly all pixels" in line for line in warnings)
    (tmp_path / "stack").mkdir()
    pairs = data(tmp_path / "stack", [noise(9, 64, 64)], [blobs()])
    _, warnings = check_data(pairs, "foreground", "instances", "auto", tmp_path)
    assert any("1 image with more than 4 channels; if these are z-slices" in line for line in warnings)


def test_channels_last_is_hinted_at(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "images" / "0.tif", noise(16, 20, 7))
    tifffile.imwrite(tmp_path / "masks" / "0.tif", cells())
    pairs, _ = assign_splits(find_pairs(tmp_path), validation=0, test=0)
    with pytest.raises(InputError, match="its channels look like the last axis: save it as"):
        check_data(pairs, "instances", "instances", "auto", tmp_path)
