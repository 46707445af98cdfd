import json
import os
from pathlib import Path

import pytest

from finetune.pipeline.start_state import MARKER
from finetune.viewer.library import Library
from finetune.viewer.progress import progress_in_words, read_progress
from finetune.viewer.run_table import read_rows

LOG = """epoch,loss,step,validation_dice
0,0.81,24,
1,,49,0.89
1,0.47,49,
2,0.40,74,
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "nuclei.partial"
    (folder / "logs" / "csv_1").mkdir(parents=True)
    log = folder / "logs" / "csv_1" / "metrics.csv"
    log.write_text(LOG)
    state = {"version": 1, "overwrite": False, "recipe": {"training": {"epochs": 10}}}
    (folder / MARKER).write_text(json.dumps(state))
    os.utime(log.parent, (1000, 1000))
    os.utime(log, (1060, 1060))
    return folder


def test_epochs_losses_and_the_time_left_are_read_from_the_log(run: Path):
    progress = read_progress(run)
    assert progress.loss == {1: 0.81, 2: 0.47, 3: 0.40}
    assert progress.validation == {2: 0.89}
    assert progress.seconds_left == 7 * 30  # two epochs took 60 s
    assert "after epoch 3 of 10" in progress_in_words(progress)


def test_a_line_that_is_being_written_is_left_out(run: Path):
    log = run / "logs" / "csv_1" / "metrics.csv"
    log.write_text(LOG + "3,0.")
    assert list(read_progress(run).loss) == [1, 2, 3]
    log.write_text("")
    assert read_progress(run).epochs == 0


def test_a_resumed_run_continues_its_curve(run: Path):
    (run / "logs" / "csv_2").mkdir()
    (run / "logs" / "csv_2" / "metrics.csv").write_text("epoch,loss\n3,0.3\n")
    assert list(read_progress(run).loss) == [1, 2, 3, 4]


def test_a_run_in_progress_is_a_row(run: Path):
    library = Library([run.parent])
    library.scan()
    (row,) = read_rows(library)
    assert "epoch 3 of 10" in row["state"]
