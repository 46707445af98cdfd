from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cards.errors import InputError
from finetune.targets.prompt_options import build_prompts


def test_it_is_built_again_from_its_options() -> None:
    prompts = build_prompts({"instances": 4})
    assert prompts.options() == {"instances": 4, "corrections": 3, "automatic": "grid"}
    assert build_prompts(prompts.options()) == prompts
    assert build_prompts() == build_prompts({})


def test_instances_keep_their_pixels_whatever_their_numbers() -> None:
    labels = np.array([[0, 2**24, 2**24 + 1], [7, 7, 0]], np.int64)  # float32 cannot tell the two large apart
    maps = build_prompts().encode(labels)
    assert maps.dtype == np.float32 and maps.shape == (1, 2, 3)
    assert np.array_equal(maps[0] == 0, labels == 0)
    assert len(np.unique(maps)) == 4
    assert maps[0, 1, 0] == maps[0, 1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"instance": 4}, "unknown option of target 'prompts' 'instance'; did you mean instances?"),
        ({"instances": 0}, "target 'prompts': instances must be an integer ≥ 1, got 0"),
        ({"corrections": -1}, "target 'prompts': corrections must be an integer ≥ 0, got -1"),
        ({"corrections": True}, "must be an integer ≥ 0, got True"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        build_prompts(options)
    assert message in str(error.value)
