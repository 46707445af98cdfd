"""SIGKILL at exact moments: the resumed run has the weights of the unbroken one, and nothing stays behind."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

from fault_cases import inputs
from fault_cases.bench import FIRST, Bench, Result
from fault_cases.judge import (
    clean_temporary,
    need,
    partial,
    refused,
    same_weights,
    succeeded,
    temporary,
    weights,
)
from fault_cases.moments import Moment
from fault_cases.registry import fault

BEST, LAST = r"best\.ckpt", r"last\.ckpt"


def killed(result: Result) -> None:
    """The fault was injected, without any message that it happened."""
    need(result.code == -signal.SIGKILL, f"the case itself: not killed, exit {result.code}")


def _resumes(bench: Bench) -> None:
    succeeded(bench.run("run", "--resume", "out", timeout=150))
    same_weights(bench)
    clean_temporary(bench)


@fault(("ref1", "two unbroken runs: the first"), ("ref2", "two unbroken runs: the same weights"))
def unbroken(bench: Bench) -> None:
    file = inputs.recipe(bench)
    inputs.finished(bench)
    with bench.row("ref1"):
        same = weights(inputs.finished(bench))
        need(same, "no weights")
    with bench.row("ref2"):
        succeeded(bench.run("run", file, "--out", "out", timeout=150))
        same_weights(bench)


@fault(
    ("k1", "SIGKILL in epoch 1, before the first checkpoint"),
    ("k1_again", "a second run after that"),
    ("k1_r", "the run anew after that"),
)
def in_epoch_1(bench: Bench) -> None:
    inputs.finished(bench)
    file = inputs.recipe(bench)
    moment = Moment(r"best\.ckpt|last\.ckpt|checkpoints/\.finetune|tmp/tmp\w+$", ("open", "rename", "copy"))
    with bench.row("k1"):
        killed(bench.run("run", file, "--out", "out", kill=moment))
        need(not (bench.folder / "out").exists(), "an unfinished run has the name of a finished one")
    if found := partial(bench):
        shutil.copytree(found, found.with_name(found.name.replace("out", "out2")))
    with bench.row("k1_again"):
        result = bench.run("run", file, "--out", "out", timeout=150)
        if result.code:
            refused(result, ("--resume", "--overwrite"))
        else:
            same_weights(bench)
    with bench.row("k1_r"):
        result = bench.run("run", "--resume", "out2", timeout=150)
        if result.code:  # there is nothing to go on from
            refused(result, "resume")
        else:
            same_weights(bench, "out2")
        clean_temporary(bench)


@fault(("k2", "SIGKILL in epoch 2"), ("k2_r", "resumed after that"))
def in_epoch_2(bench: Bench) -> None:
    inputs.finished(bench)
    with bench.row("k2"):
        killed(bench.run("run", inputs.recipe(bench), "--out", "out", send=(FIRST, signal.SIGKILL)))
        need(partial(bench), "nothing to resume is left")
    with bench.row("k2_r"):
        _resumes(bench)


@fault(("k3", "SIGKILL as the exports begin"), ("k3_r", "resumed after that"))
def at_exports(bench: Bench) -> None:
    inputs.finished(bench)
    with bench.row("k3"):
        killed(bench.run("run", inputs.recipe(bench), "--out", "out", send=("exporting", signal.SIGKILL)))
    with bench.row("k3_r"):
        _resumes(bench)


@fault(("k4", "SIGKILL as record.json is written"), ("k4_r", "resumed after that, nothing left in TMPDIR"))
def at_record(bench: Bench) -> None:
    inputs.finished(bench)
    moment = Moment(r"record\.json", ("open", "rename"))
    with bench.row("k4"):
        killed(bench.run("run", inputs.recipe(bench), "--out", "out", kill=moment))
        need(partial(bench), "nothing to resume is left")
    with bench.row("k4_r"):
        _resumes(bench)


def _half(bench: Bench, name: str, path: str, count: int) -> None:
    """TMPDIR on another file system: a rename is a copy there."""
    inputs.finished(bench)
    other = Path("/dev/shm") / f"faults-{bench.folder.name}-{bench.secret[-8:]}"
    other.mkdir(exist_ok=True)
    moment = Moment(path, ("copy", "rename"), count=count, half=True)
    try:
        with bench.row(name):
            file = inputs.recipe(bench)
            killed(bench.run("run", file, "--out", "out", kill=moment, env={"TMPDIR": str(other)}))
        with bench.row(f"{name}_r"):
            succeeded(bench.run("run", "--resume", "out", env={"TMPDIR": str(other)}, timeout=150))
            same_weights(bench)
            left = temporary(other)
            need(not left, f"left in TMPDIR: {', '.join(left[:3])}")
    finally:
        shutil.rmtree(other, ignore_errors=True)


@fault(
    ("half_last", "SIGKILL while last.ckpt of epoch 2 is put in place"), ("half_last_r", "resumed after that")
)
def half_of_last(bench: Bench) -> None:
    _half(bench, "half_last", LAST + "$", 2)


@fault(
    ("half_best", "SIGKILL while best.ckpt of epoch 2 is put in place"), ("half_best_r", "resumed after that")
)
def half_of_best(bench: Bench) -> None:
    _half(bench, "half_best", BEST + "$", 2)


@fault(
    ("kill_rename", "SIGKILL before best.ckpt of epoch 2 takes its place"),
    ("kill_rename_r", "resumed after that, nothing left in TMPDIR"),
)
def before_rename(bench: Bench) -> None:
    inputs.finished(bench)
    moment = Moment(BEST + "$", ("rename",), count=2)
    with bench.row("kill_rename"):
        killed(bench.run("run", inputs.recipe(bench), "--out", "out", kill=moment))
    with bench.row("kill_rename_r"):
        _resumes(bench)


@fault(
    ("kill_swap", "--overwrite of a finished run: SIGKILL between the renames at the end"),
    ("kill_swap_p", "predict with that run right after"),
    ("kill_swap_r", "resumed after that"),
)
def in_swap(bench: Bench) -> None:
    inputs.run_copy(bench, "out")
    (bench.folder / "out" / "scores.csv").write_text("of the old run")
    inputs.images(bench, names=("a",))
    file = inputs.recipe(bench)
    with bench.row("kill_swap"):
        moment = Moment(r"(^|/)out$", ("rename",))
        killed(bench.run("run", file, "--out", "out", "--overwrite", kill=moment, timeout=150))
        kept = [path for path in bench.folder.rglob("scores.csv") if path.read_text() == "of the old run"]
        need(kept or partial(bench), "neither the old run nor the new one is left")
    with bench.row("kill_swap_p"):
        result = bench.run("predict", "out", "pred", "--out", "out-labels")
        if result.code:
            refused(result, "out")
    with bench.row("kill_swap_r"):
        result = bench.run("run", "--resume", "out", timeout=150)
        if result.code == 0 or not (bench.folder / "out").exists():
            succeeded(result)
            shutil.rmtree(bench.folder / "out-labels", ignore_errors=True)
            same_weights(bench)


@fault(("orph", "worker processes end after a SIGKILL of the run"))
def orphans(bench: Bench) -> None:
    file = inputs.recipe(bench)
    started = bench.start("run", file, "training.workers=2", "training.images_per_epoch=400", "--out", "out")
    child, log = started
    end = time.monotonic() + 60
    while not _members(child, workers=True) and time.monotonic() < end:
        time.sleep(0.1)
    need(_members(child, workers=True), "the case itself: no workers were seen")
    time.sleep(0.5)
    import os

    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    end = time.monotonic() + 20
    while (left := _members(child)) and time.monotonic() < end:
        time.sleep(0.2)
    for process in left:
        os.kill(process, signal.SIGKILL)
    need(not left, f"{len(left)} processes still run 20 s later")


def _members(session: int, workers: bool = False) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return [process for process in found if process != session] if workers else found
