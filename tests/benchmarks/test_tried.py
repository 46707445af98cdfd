"""The table of what was tried is complete, and is rendered as it stands in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import load_script

ROOT = Path(__file__).parents[2]
COLUMNS = ["change", "baseline", "dice", "difference", "low", "high", "measured_on", "kept", "note"]
ROW = dict.fromkeys(COLUMNS, "") | {"change": "A", "baseline": "unet", "measured_on": "b", "kept": "no"}


@pytest.fixture(scope="module")
def pages():
    return load_script(ROOT / "docs" / "evaluation_pages.py")


def test_every_change_states_recipe_images_and_whether_it_was_kept(pages) -> None:
    recipes = {path.stem for path in (ROOT / "recipes").glob("*.yaml")}
    rows = pages.read_rows("tried.csv")
    assert rows
    for row in rows:
        assert list(row) == COLUMNS
        assert row["change"]
        assert row["baseline"] in recipes
        assert row["measured_on"].split()[1] in {"validation", "test"}
        assert row["kept"] in {"yes", "no"}
        assert row["difference"] or row["note"]  # a change without a figure says what was found
        assert bool(row["low"]) == bool(row["high"])
        if row["low"]:
            assert float(row["low"]) <= float(row["difference"]) <= float(row["high"])
        if row["measured_on"].split()[1] == "test":  # nothing is selected on test images any more
            assert "before this protocol" in row["note"]


def test_differences_have_signs_and_intervals_and_kept_changes_come_first(pages) -> None:
    kept = ROW | {"change": "B", "dice": "0.94", "difference": "0.01", "low": "-0.002", "high": "0.02"}
    first, second = pages.tried_rows([ROW, kept | {"kept": "yes"}])
    assert first == ["B", "`unet`", "0.94", "+0.0100 (−0.0020 to +0.0200)", "b", "yes", ""]
    assert second == ["A", "`unet`", "not measured", "not measured", "b", "no", ""]


def test_evaluations_state_both_columns_and_their_evidence(pages) -> None:
    latest, *_, earliest = pages.evaluation_rows(pages.read_rows("test_evaluations.csv"))
    assert earliest[:6] == [
        "not recorded",
        "`quickstart`, after",
        "0",
        "sample (4)",
        "0.9432 ± 0.0077",
        "not measured",
    ]
    assert earliest[-1] == "not recorded"
    assert latest[0] >= "2026-11-26"
    assert " record " in latest[-1]
