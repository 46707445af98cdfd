from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field

from cards.errors import InputError
from finetune.utils.options import Options, build_options, option_errors


class Kettle(Options):
    """Options with every kind of limit."""

    liters: float = Field(1.5, gt=0, le=3)
    cups: int = Field(4, ge=1, le=8, multiple_of=2)
    minutes: int = Field(3, ge=0)
    voltage: Literal[110, 230] = 230
    whistle: bool = True


def test_missing_options_take_the_defaults() -> None:
    assert build_options(Kettle, None, "kettle") == Kettle()
    assert build_options(Kettle, {"liters": 2}, "kettle").liters == 2.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"liter": 2}, "unknown option of kettle 'liter'; did you mean liters?"),
        ({"liters": 0}, "kettle: liters must be a number > 0 and ≤ 3, got 0"),
        ({"liters": float("nan")}, "kettle: liters must be a number > 0 and ≤ 3, got nan"),
        ({"cups": 3}, "kettle: cups must be an integer from 1 to 8 and a multiple of 2, got 3"),
        ({"minutes": 2.5}, "kettle: minutes must be an integer ≥ 0, got 2.5"),
        ({"minutes": True}, "kettle: minutes must be an integer ≥ 0, got True"),
        ({"minutes": "2"}, "kettle: minutes must be an integer ≥ 0, got '2'"),
        ({"voltage": 12}, "kettle: voltage must be 110 or 230, got 12"),
        ({"whistle": "loud"}, "kettle: whistle must be true or false, got 'loud'"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        build_options(Kettle, options, "kettle")
    assert str(error.value) == message


def test_all_wrong_options_are_reported_by_their_names() -> None:
    errors = option_errors(Kettle, {"cups": 0, "color": "red"}, "kettle")
    assert set(errors) == {"cups", "color"}
