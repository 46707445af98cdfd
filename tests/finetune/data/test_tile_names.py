import pytest

from cards.errors import InputError
from finetune.data.tile_names import arrange_tiles

PATTERN = "{field}_r{row}c{column}"


def test_tiles_are_arranged_by_number_and_fields_stay_apart():
    names = ["a_b_r1c9", "a_b_r1c10", "a_b_r2c9", "a_b_r2c10", "c_r0c0"]
    assert arrange_tiles(names, PATTERN) == {"a_b": [[0, 1], [2, 3]], "c": [[4]]}
    assert arrange_tiles(["x-02-01 (f)", "x-01-01 (f)"], "{field}-{row}-{column} (f)") == {"x": [[1], [0]]}
    assert arrange_tiles(["0-0", "0-1"], "{row}-{column}") == {"field": [[0, 1]]}


@pytest.mark.parametrize(
    ("names", "pattern", "said"),
    [
        (["a_r0c0", "b", "c"], PATTERN, "2 of 3 names do not match '{field}_r{row}c{column}': b, c: correct"),
        (
            ["a_r0c0", "a_r0c2", "a_r1c0"],
            PATTERN,
            "3 of 2 × 3 tiles are missing: row 0, column 1 of a, row 1, c",
        ),
        (
            ["a_r0c0", "a_r99999c99999"],
            PATTERN,
            "9,999,999,998 of 100,000 × 100,000 tiles are missing: row 0, c",
        ),
        (["0-0", "00-0"], "{row}-{column}", "0-0 and 00-0 are both row 0, column 0 of field"),
        (["a_r0c1", "a_r00c01"], PATTERN, "a_r0c1 and a_r00c01 are both row 0, column 1 of a"),
        (
            ["a_r0c0"],
            "{field}_r{row}",
            "--names is '{field}_r{row}': it must hold {row} and {column}, and",
        ),
        (["a_r0c0"], "{field}_{row}_{column}_{row}", "once each, as in '{field}_r{row}c{column}'"),
        (
            ["a_r0c0"],
            "{field}_{row}_{col}",
            "it must hold {row} and {column}, and {field} if there are several, once",
        ),
    ],
)
def test_what_cannot_be_arranged_is_named(names, pattern, said):
    with pytest.raises(InputError) as error:
        arrange_tiles(names, pattern)
    assert said in str(error.value) and "\n" not in str(error.value)
