"""Progress of a stage: a line with time and memory in a terminal, nothing in a log."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from finetune.training.progress import TrainingProgress
from finetune.utils.progress import stage

GROWS = """
from finetune.utils.progress import memory_in_use
before = memory_in_use()
block = bytearray(b"1") * 200_000_000
print(memory_in_use() - before)
"""


def last_line(console: Console) -> str:
    """The last line that the console shows, without its colors."""
    assert isinstance(console.file, io.StringIO)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    return re.split(r"[\r\n]+", text.strip())[-1].strip()


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100)


def test_a_finished_stage_stays_on_the_screen_with_its_time_and_memory(terminal: Console) -> None:
    with stage(terminal, "reading images", 3) as shown:
        assert list(shown.track("abc")) == ["a", "b", "c"]
    memory = r" \d[\d.]* [MG]iB" if sys.platform == "linux" else ""
    assert re.fullmatch(rf"reading images ━+ 100 % [\d.]+ (ms|s|µs){memory}", last_line(terminal))


def test_items_that_are_not_asked_for_are_not_counted(terminal: Console) -> None:
    with stage(terminal, "reading images", 4) as shown:
        items = shown.track("abcd")
        assert [next(items), next(items)] == ["a", "b"]
        items.close()
    assert " 50 % " in last_line(terminal)


def test_a_log_gets_no_progress() -> None:
    log = Console(file=io.StringIO())
    with stage(log, "reading images", 2) as shown:
        shown.advance()
    assert log.file.getvalue() == ""


def test_training_is_one_stage_that_continues_where_it_stopped(terminal: Console) -> None:
    module = SimpleNamespace(monitor="validation_dice", found_nothing=False, features=None)
    trainer = SimpleNamespace(num_training_batches=5, max_epochs=4, current_epoch=1, callback_metrics={})
    progress = TrainingProgress(terminal)
    progress.on_train_start(trainer, module)
    for _ in range(5):
        progress.on_train_batch_end(trainer)
    trainer.callback_metrics |= {"loss": 0.25, "validation_dice": 0.875}
    progress.on_train_epoch_end(trainer, module)
    progress.on_exception(trainer, module, KeyboardInterrupt())
    assert last_line(terminal).startswith("training, epoch 2/4: loss 0.250, Dice 0.875 ")
    assert " 50 % " in last_line(terminal)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_in_use_is_that_of_the_process() -> None:
    grown = subprocess.run([sys.executable, "-c", GROWS], capture_output=True, text=True, check=True)
    assert 100e6 < int(grown.stdout) < 300e6  # the system may take some pages back
