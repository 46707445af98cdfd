"""Two runs, or two resumes, of one folder at once: the second is refused, the first is not harmed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from fault_cases import inputs
from fault_cases.bench import FIRST, Bench, Failed, Result
from fault_cases.judge import need, quiet, refused, same_weights, succeeded, weights
from fault_cases.registry import fault

SEED_2 = "training.seed=2"


def wait_for(bench: Bench, started: tuple, text: str, seconds: float = 90) -> None:
    """Wait until a command has printed a text, or written a file."""
    end = time.monotonic() + seconds
    while not bench.reached(text, started[1]):
        if time.monotonic() > end:
            raise Failed(f"the case itself: {text!r} is not printed")
        time.sleep(0.02)


def two(bench: Bench, when: str, *more: str) -> tuple[Result, Result]:
    """Start a run (seed 1), and another (seed 2) into the same folder once the first prints `when`."""
    inputs.finished(bench)
    file = inputs.recipe(bench)
    first = bench.start("run", file, "--out", "out")
    wait_for(bench, first, when)
    second = bench.start("run", file, SEED_2, "--out", "out", *more)
    return bench.finish(first, timeout=200), bench.finish(second, timeout=200)


def first_wins(bench: Bench, first: Result, second: Result) -> None:
    """The second is refused in one line that names the folder; the first is as if it had been alone."""
    refused(second, "out")
    need(
        re.search(r"another|other|running|process|use|lock", second.err),
        "does not say that a run is going on",
    )
    succeeded(first)
    same_weights(bench)


@fault(("two_cli", "two runs (seeds 1 and 2) into one --out, started together"))
def together(bench: Bench) -> None:
    inputs.finished(bench)
    file = inputs.recipe(bench)
    processes = [bench.start("run", file, *more, "--out", "out") for more in ((), (SEED_2,))]
    results = [bench.finish(process, timeout=200) for process in processes]
    for result in results:
        quiet(result)
    need(sorted(result.code for result in results) == [0, 2], f"exits {[result.code for result in results]}")
    loser = max(results, key=lambda result: result.code)
    refused(loser, "out")
    if results[0].code == 0:
        same_weights(bench)


@fault(("two_new", "second run (seed 2) in epoch 1 of the first"))
def in_epoch_1(bench: Bench) -> None:
    first_wins(bench, *two(bench, r"\d train"))


@fault(("two_cli_over", "second run with --overwrite after epoch 1 of the first"))
def overwrite_in_epoch_2(bench: Bench) -> None:
    first_wins(bench, *two(bench, FIRST, "--overwrite"))


@fault(("two_over", "second run with --overwrite while the first exports"))
def overwrite_in_exports(bench: Bench) -> None:
    first_wins(bench, *two(bench, "exporting", "--overwrite"))


def _both(bench: Bench, commands: Callable[[], list[tuple]]) -> None:
    results = [bench.finish(process, timeout=200) for process in commands()]
    for result in results:
        quiet(result)
    need(sorted(result.code for result in results) == [0, 2], f"exits {[result.code for result in results]}")
    refused(max(results, key=lambda result: result.code), "out")
    same_weights(bench)


@fault(("two_res", "two --resume of one run at once"))
def two_resumes(bench: Bench) -> None:
    inputs.stopped(bench, FIRST)
    _both(bench, lambda: [bench.start("run", "--resume", "out") for _ in range(2)])


@fault(("run_res", "--resume while the run itself is going on"))
def resume_of_a_running_one(bench: Bench) -> None:
    inputs.finished(bench)
    first = bench.start("run", inputs.recipe(bench), "--out", "out")
    wait_for(bench, first, FIRST)
    second = bench.run("run", "--resume", "out")
    result = bench.finish(first, timeout=200)
    refused(second, "out")
    succeeded(result)
    same_weights(bench)


@fault(("two_late", "two runs with other names beside each other"))
def neighbors(bench: Bench) -> None:
    inputs.finished(bench)
    file = inputs.recipe(bench)
    first = bench.start("run", file, "--out", "out")
    second = bench.start("run", file, SEED_2, "--out", "out2")
    results = [bench.finish(process, timeout=200) for process in (first, second)]
    for result in results:
        succeeded(result)
    need(weights(bench.folder / "out") == weights(inputs.finished(bench)), "other weights than the run alone")
    need(weights(bench.folder / "out2") != weights(bench.folder / "out"), "both runs have the same weights")


@fault(("two_pred", "two predict into one --out at once"))
def two_predictions(bench: Bench) -> None:
    from fault_cases.judge import labeled

    finished = inputs.finished(bench)
    inputs.images(bench)
    processes = [bench.start("predict", finished, "pred", "--out", "out") for _ in range(2)]
    for result in [bench.finish(process) for process in processes]:
        quiet(result)
        need(result.code in (0, 2), f"exit {result.code}")
    labeled(bench, inputs.NAMES)
