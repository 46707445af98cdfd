import hashlib
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cards.fingerprint import environment, sha256_file, sha256_pixels


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


def test_environment_names_the_machine_and_nobody():
    found = environment(["NVIDIA H100"])
    assert found.gpus == ["NVIDIA H100"]
    assert found.cpu
    assert found.cores >= 1
    assert found.memory_bytes and found.memory_bytes > 2**28
    assert found.packages["numpy"] == np.__version__
    text = found.model_dump_json()
    assert str(Path.home()) not in text
    assert str(Path.cwd()) not in text
    assert platform.node() not in text


def test_no_torch_is_needed():
    code = "import sys, cards.fingerprint; sys.exit(any(n in sys.modules for n in ('torch', 'finetune')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
