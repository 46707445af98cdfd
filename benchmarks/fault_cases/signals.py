"""SIGINT and SIGTERM: one line that says what is kept, nothing half-written, and the run can be resumed."""

from __future__ import annotations

import signal
from functools import partial as bind

from fault_cases import inputs
from fault_cases.bench import FIRST, Bench, Result
from fault_cases.judge import clean_temporary, labels, need, nothing, partial, quiet, same_weights, succeeded
from fault_cases.registry import fault

CODES = {signal.SIGINT: (130,), signal.SIGTERM: (143, -15)}


def _stopped(result: Result, number: signal.Signals) -> None:
    quiet(result)
    need(result.code != 0, "the case itself: ended before the signal")
    need(result.code in CODES[number], f"exit {result.code}")
    need("stopped" in result.err, "no line that says what became of the run")


def _early(bench: Bench, number: signal.Signals) -> None:
    """Before the first checkpoint: nothing stays."""
    file = inputs.recipe(bench)
    change = ("training.images_per_epoch=2000", "--out", "out")
    result = bench.run("run", file, *change, send=(r"\d train", number), delay=0.8)
    _stopped(result, number)
    nothing(bench)
    clean_temporary(bench)


def _middle(bench: Bench, number: signal.Signals, name: str) -> None:
    inputs.finished(bench)
    rows = [row for row in (name, f"{name}_r") if row in WITH_RESUME or row == name]
    with bench.row(name) if len(rows) > 1 else _same():
        result = bench.run("run", inputs.recipe(bench), "--out", "out", send=(FIRST, number))
        _stopped(result, number)
        need("--resume" in result.err, "does not say how to go on")
        need(partial(bench), "nothing to resume is left")
        clean_temporary(bench)
    if len(rows) > 1:
        with bench.row(f"{name}_r"):
            succeeded(bench.run("run", "--resume", "out", timeout=150))
            same_weights(bench)


def _exports(bench: Bench, number: signal.Signals, name: str) -> None:
    inputs.finished(bench)
    with bench.row(name):
        result = bench.run("run", inputs.recipe(bench), "--out", "out", send=("exporting", number), delay=0.1)
        _stopped(result, number)
        need("--resume" in result.err, "does not say how to go on")
        clean_temporary(bench)
    with bench.row(f"{name}_r"):
        succeeded(bench.run("run", "--resume", "out", timeout=150))
        same_weights(bench)


JOURNAL = ".finetune-finished.jsonl"
CONTINUES = {JOURNAL, "prediction.json"}  # by which the next call knows what is finished


def _at_once(bench: Bench, number: signal.Signals) -> None:
    """While torch is imported, or the recipe is read."""
    file = inputs.recipe(bench)
    result = bench.run("run", file, "--out", "out", send=("", number), delay=0.05)
    quiet(result)
    need(result.code in CODES[number], f"exit {result.code}")
    nothing(bench)


def _predicting(bench: Bench, number: signal.Signals) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench)
    for index in range(300):
        (folder / f"e{index}.tif").write_bytes((folder / "a.tif").read_bytes())
    result = bench.run("predict", finished, "pred", "--out", "out", send=("instances", number))
    quiet(result)
    need(result.code in CODES[number], f"exit {result.code}")
    need(labels(bench), "the case itself: no label image yet")  # reads each: none is half-written
    stray = [path.name for path in (bench.folder / "out").iterdir() if path.suffix != ".tif"]
    need(set(stray) <= CONTINUES, f"left behind: {stray[:2]}")
    again = bench.run("predict", finished, "pred", "--out", "out")
    quiet(again)
    need(again.code == 0, f"predict again: exit {again.code}: {again.text.strip()[-80:]}")
    found = len(labels(bench))
    need(found > 300, f"predict again: {found} label images")
    need(not (bench.folder / "out" / JOURNAL).exists(), f"predict again: {JOURNAL} is left behind")


class _same:
    """A block that is judged with the scenario's only row."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


WITH_RESUME = {"sigint_e2_r"}
NAMES = {"sigint": signal.SIGINT, "sigterm": signal.SIGTERM}

for _name, _number in NAMES.items():
    _what = _number.name
    fault((f"{_name}_e1", f"{_what} in epoch 1"))(bind(_early, number=_number))
    _rows = [(f"{_name}_e2", f"{_what} in epoch 2")]
    _rows += [(f"{_name}_e2_r", "resumed after that")] if f"{_name}_e2_r" in WITH_RESUME else []
    fault(*_rows)(bind(_middle, number=_number, name=f"{_name}_e2"))
    fault((f"{_name}_exp", f"{_what} in the exports"), (f"{_name}_exp_r", "resumed after that"))(
        bind(_exports, number=_number, name=f"{_name}_exp")
    )
    fault((f"{_name}_import", f"{_what} at once"))(bind(_at_once, number=_number))
    fault((f"{_name}_pred", f"{_what} in predict"))(bind(_predicting, number=_number))
