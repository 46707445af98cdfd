"""Panels say what they cannot show."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_run import RUN

from finetune.viewer.library import Library
from finetune.viewer.windows import Window

pytest.importorskip("panel")


def test_a_run_that_has_ended_has_no_progress() -> None:
    from finetune.viewer.desk import Desk
    from finetune.viewer.panels.progress import progress_panel

    library = Library([RUN])
    library.scan()
    shown = progress_panel(Desk(library, {}), Window(kind="progress", items=["run"]))
    assert "The run has ended and written its record" in shown.object


def test_of_hundreds_of_columns_the_first_are_shown(tmp_path: Path) -> None:
    from finetune.viewer.desk import Desk
    from finetune.viewer.panels.csv_table import MOST_COLUMNS, csv_panel

    names = [f"c{number}" for number in range(500)]
    (tmp_path / "wide.csv").write_text(f"{','.join(names)}\n{','.join(['1'] * 500)}\n")
    library = Library([tmp_path / "wide.csv"])
    library.scan()
    ((text, table),) = csv_panel(Desk(library, {}), Window(kind="table", items=["wide.csv"]))
    assert "1 row, 500 columns, of which the first 200 are shown" in text.object
    assert list(table.value) == names[:MOST_COLUMNS]


def test_a_quotation_mark_that_is_never_closed_is_reported(tmp_path: Path) -> None:
    from finetune.viewer.desk import Desk
    from finetune.viewer.panels.csv_table import csv_panel

    (tmp_path / "open.csv").write_text('a,b\n1,"unclosed\n2,x\n')
    library = Library([tmp_path / "open.csv"])
    library.scan()
    ((text, _),) = csv_panel(Desk(library, {}), Window(kind="table", items=["open.csv"]))
    assert "1 row, 2 columns. A quotation mark is never closed" in text.object


def test_a_table_that_was_deleted_while_shown_is_reported_when_its_page_is_turned(tmp_path: Path) -> None:
    from finetune.viewer.csv_pages import PAGE
    from finetune.viewer.desk import Desk
    from finetune.viewer.panels.csv_table import csv_panel

    (tmp_path / "long.csv").write_text("n\n" + "1\n" * (PAGE + 1))
    library = Library([tmp_path / "long.csv"])
    library.scan()
    page, place = csv_panel(Desk(library, {}), Window(kind="table", items=["long.csv"]))
    page.value = 2
    assert "Rows 5,001 to 5,001" in place[0][0].object
    (tmp_path / "long.csv").unlink()
    page.value = 1
    assert "long.csv: no longer there" in place[0].object


def test_models_of_readable_runs_are_shown_beside_the_reason_why_another_is_not(tmp_path: Path) -> None:
    from finetune.viewer.desk import Desk
    from finetune.viewer.panels.models import models_panel

    for name in ("checkpoints", "logs"):
        (tmp_path / "half" / name).mkdir(parents=True)
    library = Library([tmp_path / "half", RUN])
    library.scan()
    problem, controls, *_ = models_panel(Desk(library, {}), Window(kind="models", items=["half", "run"]))
    assert "half: no record yet" in problem.object
    assert controls[0].options


@pytest.mark.parametrize("dark", [False, True])
def test_a_table_is_drawn_without_waiting_for_style_sheets(dark: bool) -> None:
    import pandas as pd

    from finetune.viewer.desk import Desk
    from finetune.viewer.panels.grid import table

    shown = table(pd.DataFrame({"a": [1]}), Window(kind="table"), Desk(Library([]), {}, dark=dark))
    sheets = shown.get_root().stylesheets
    assert all(isinstance(sheet, str) for sheet in sheets)
    assert any(".tabulator" in sheet for sheet in sheets)
