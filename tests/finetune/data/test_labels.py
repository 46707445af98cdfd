import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finetune.data.labels import convert

TWO = np.array([[1, 1, 2, 2, 0, 0]] * 4, np.int32)


def test_instances_stay_themselves():
    assert np.array_equal(convert(TWO * 7, "instances", "instances"), TWO * 7)


def test_instances_to_boundary_marks_both_sides_of_a_contact():
    wide = np.repeat(TWO, 2, axis=1)
    assert convert(wide, "instances", "boundary")[0].tolist() == [0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0]


def test_foreground_to_instances_and_boundary():
    mask = np.array([[255, 255, 0, 255, 0, 0]] * 3)
    assert convert(mask, "foreground", "instances")[0].tolist() == [1, 1, 0, 2, 0, 0]
    assert convert(mask, "foreground", "boundary")[0].tolist() == [0, 1, 0, 1, 0, 0]


def test_a_diagonal_line_one_pixel_wide_separates_cells():
    line = np.eye(5, dtype=np.int32) * 255
    cells = convert(line, "boundary", "instances")
    assert not cells[line > 0].any()
    assert cells.max() == 2
    assert np.array_equal(convert(line, "boundary", "boundary"), np.eye(5))


@given(arrays(np.int32, (6, 7), elements=st.integers(0, 3)))
def test_always_int32_of_the_same_shape(labels):
    for held in ("instances", "foreground", "boundary"):
        for wanted in ("instances", "boundary"):
            result = convert(labels, held, wanted)
            assert result.dtype == np.int32
            assert result.shape == labels.shape
            assert wanted == "instances" or set(np.unique(result)) <= {0, 1}
