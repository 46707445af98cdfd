"""An empty argument is refused, because an empty path would mean the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from cards.errors import InputError
from finetune.cli.empty_arguments import check_not_empty


def test_an_empty_output_folder_is_one_line_and_nothing_is_written(command, tmp_path: Path) -> None:
    result = command("predict", "runs/a", "images", "--out", "")
    assert result.returncode == 2
    assert (
        result.stderr
        == "finetune: --out: is empty; name a value, or set the variable that your script uses\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evaluate", "labels", ""], "argument 3"),
        (["evaluate", "labels", "masks", "--csv="], "--csv"),
        (["run", ""], "argument 2"),
        (["card", "render", "runs/a", "--out", ""], "--out"),
    ],
)
def test_the_empty_argument_is_named(arguments: list[str], named: str) -> None:
    with pytest.raises(InputError, match=f"^{named}: is empty"):
        check_not_empty(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "runs/a", "images", "--save", "", "--dask="],
        ["run", "recipe.yaml", "data.root="],
        ["plugin", "run", "segment", "--pattern", ""],
    ],
)
def test_options_that_may_be_empty_are_left_alone(arguments: list[str]) -> None:
    check_not_empty(arguments)
