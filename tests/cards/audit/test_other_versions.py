"""Cards that another version of finetune wrote: other words are not held against them, other figures are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import audited
import pytest
from audited import README, broken, claims_of

from cards.audit.text import Supported, compare_texts, figures_in, record_figures
from cards.record import RunRecord

RELEASE = Path(__file__).parents[2] / "fixtures" / "0.2.0" / "run"
NOTHING = Supported({}, ())


@pytest.fixture
def earlier(tmp_path: Path) -> Callable[[str, str], Path]:
    """A run of an earlier version whose card has other words; hashes and record agree with it."""

    def write(old: str, new: str) -> Path:
        record = audited.complete()
        record.finetune_version = "0.0.9"
        audited.write_run(tmp_path / "run", record)
        path = tmp_path / "run" / README
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        audited.write_record(tmp_path / "run", RunRecord.read(tmp_path / "run"))
        return tmp_path / "run"

    return write


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("## How to use", "## What it takes to use the model"),
        ("**Time per image:**", "**How long one image takes:**"),
        ("| Patches seen |", "| Images seen |"),
        ("warm, batch size 1", "batch size 1, warmed up"),
        ("Mean ± standard deviation (SD) over", "Mean and spread over"),
    ],
)
def test_other_words_are_not_broken(earlier: Callable[[str, str], Path], old: str, new: str) -> None:
    assert not broken(claims_of(earlier(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.9263", "0.9363"),
        ("43.2 ms", "23.2 ms"),
        ("2026-03-14", "2026-03-15"),
        ("| Learning rate | 0.0003 |", "| Learning rate | 0.0001 |"),
        ("| Authors | Ada Example", "| Authors | Eve Example"),
        ("| This model | MIT |", "| This model | Apache-2.0 |"),
        ("license: mit", "license: bsd"),
        ("base_model: example/unet2d-nuclei-broad", "base_model: example/other"),
    ],
)
def test_other_figures_names_and_licenses_are_broken(
    earlier: Callable[[str, str], Path], old: str, new: str
) -> None:
    assert broken(claims_of(earlier(old, new)), "card")


def test_a_run_of_release_0_2_0_lacks_only_the_files_left_out_of_the_fixture(
    tmp_path: Path,
) -> None:
    run = Path(shutil.copytree(RELEASE, tmp_path / "run"))
    claims = claims_of(run)
    assert [text for text in broken(claims) if "is missing" not in text] == []
    assert broken(claims) == broken(claims, "files")
    assert not broken(claims_of(run / "bioimageio" / "discs.zip"))


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("| Dice | 0.9306 ± 0.0451 |", ["0.9306", "0.0451"]),
        ("450,210 parameters, 1e-05, −0.5 and 99.8 %", ["450210", "1e-05", "-0.5", "99.8"]),
        ("2026-03-14T09:26:53+00:00", ["2026-03-14T09:26:53+00:00"]),
        ("commit 0123456789abcdef, nucleus_07", ["0123456789abcdef"]),
        ("BSD-3-Clause, cc-by-4.0 or MIT", ["bsd-3-clause", "cc-by-4.0", "mit"]),
        ("permit, isc, BBBC038 and Python3", []),
    ],
)
def test_figures_are_numbers_dates_hashes_and_licenses(text: str, figures: list[str]) -> None:
    assert [figure.lower() for figure in figures_in(text)] == [figure.lower() for figure in figures]


def test_exchanged_rows_of_a_table_are_found() -> None:
    expected = "| a | 1 |\n| b | 2 |\n"
    assert compare_texts("| a | 2 |\n| b | 1 |\n", expected, NOTHING).changed
    assert compare_texts("| b | 2 |\n| a | 1 |\n", expected, NOTHING).changed == []


def test_a_value_is_known_in_the_roundings_of_a_card() -> None:
    known = record_figures({"dice": 0.930612, "seconds": 0.0432, "parameters": 4396577, "license": "MIT"})
    assert {"0.9306", "0.931", "43.2", "4396577", "MIT"} <= known
    assert "0.9307" not in known
