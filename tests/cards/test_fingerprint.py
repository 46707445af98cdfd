import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cards.fingerprint import data_digest, recipe_digest, sha256_file, sha256_pixels


def test_the_canonical_form_is_the_documented_one():
    form = b"int32:1,2\n" + bytes([5, 0, 0, 0, 255, 0, 0, 0])
    assert sha256_pixels(np.array([[5, 255]], np.uint8)) == hashlib.sha256(form).hexdigest()


@given(arrays(np.uint8, (3, 4, 5)))
def test_storage_does_not_matter_but_values_do(image):
    expected = sha256_pixels(image)
    for dtype in ("<u2", ">u2", "i4", "i8"):
        assert sha256_pixels(image.astype(dtype)) == expected
    assert sha256_pixels(np.asfortranarray(image)) == expected
    assert sha256_pixels(image.reshape(3, 5, 4)) != expected
    assert sha256_pixels(image.astype(np.float32)) != expected
    changed = image.copy()
    changed[1, 2, 3] ^= 1
    assert sha256_pixels(changed) != expected


@given(st.integers(2**31, 2**32 - 1))
def test_values_that_do_not_fit_are_refused(value):
    with pytest.raises(ValueError, match="do not fit"):
        sha256_pixels(np.array([value], np.uint32))


def test_file_hash(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_file(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()


def test_the_digest_of_data_has_the_documented_canonical_form(full):
    files = full.data.files[:2]
    lines = sorted(f"{file.image_pixels} {file.label_pixels}" for file in files)
    expected = hashlib.sha256(f"{lines[0]}\n{lines[1]}".encode()).hexdigest()
    assert data_digest(files) == data_digest(reversed(files)) == expected
    assert full.data.digest() == data_digest(full.data.files)


def test_no_torch_is_needed():
    code = "import sys, cards.fingerprint; sys.exit(any(n in sys.modules for n in ('torch', 'finetune')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_recipe_keeps_its_digest_when_images_move_and_loses_it_when_a_value_changes() -> None:
    recipe = {"data": {"root": "a", "csv": None, "labels": "instances"}, "training": {"epochs": 3}}
    moved = {"training": {"epochs": 3}, "data": {"labels": "instances", "csv": "b", "root": None}}
    assert recipe_digest(recipe) == recipe_digest(moved)
    assert recipe_digest(recipe) != recipe_digest({**recipe, "training": {"epochs": 4}})
    assert recipe["data"]["root"] == "a"
