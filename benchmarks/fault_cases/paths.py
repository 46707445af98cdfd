"""Where a run is written: absurd paths, folders of the user's, `--overwrite`, hostile names, low memory."""

from __future__ import annotations

import csv
import resource
import shutil
import subprocess
import sys
from functools import partial as bind

from fault_cases import inputs
from fault_cases.bench import FIRST, Bench, content
from fault_cases.judge import (
    consistent,
    labeled,
    need,
    nothing,
    partial,
    quiet,
    refused,
    same_weights,
    succeeded,
)
from fault_cases.registry import fault

BROKEN = "model.checkpoint=evil.safetensors"


def _broken_checkpoint(bench: Bench) -> None:
    (bench.folder / "evil.safetensors").write_bytes(b"\x80\x04not weights")


ABSURD = {
    "dot": (".", "--out ."),
    "empty": ("", "--out ''"),
    "root": ("/", "--out /"),
    "dotdot": ("sub/..", "--out sub/.."),
    "long": ("x" * 300, "--out of 300 letters"),
    "file": ("afile", "--out is an existing file"),
    "under_file": ("afile/run", "--out below a file"),
}


def _absurd(bench: Bench, out: str) -> None:
    (bench.folder / "afile").write_text("precious")
    (bench.folder / "sub").mkdir()
    refused(
        bench.run("run", inputs.recipe(bench), "--out", out), ("--out", "folder", "name", "exists", "write")
    )
    nothing(bench)


for _id, (_out, _what) in ABSURD.items():
    fault((f"out_{_id}", _what))(bind(_absurd, out=_out))


@fault(("out_nl", "--out with a newline and quotes, dry run"))
def newline(bench: Bench) -> None:
    refused(bench.run("run", inputs.recipe(bench), "--out", "out\n'b\"", "--dry-run"), "--out", "newline")
    nothing(bench)


@fault(("out_file_over", "--out is an existing file, --overwrite, the run fails early"))
def over_file(bench: Bench) -> None:
    (bench.folder / "afile").write_text("precious")
    _broken_checkpoint(bench)
    refused(bench.run("run", inputs.recipe(bench), BROKEN, "--out", "afile", "--overwrite"))


@fault(("over_data", "--out = data.root with --overwrite"))
def over_data(bench: Bench) -> None:
    root = inputs.data(bench, "imgs")
    file = inputs.recipe(bench, root)
    for out in ("imgs", "imgs/train", "imgs/train/images"):
        refused(bench.run("run", file, "--out", out, "--overwrite"), out)


@fault(("over_mine", "--out = a folder that is no run, with --overwrite; NAME.old beside it"))
def over_mine(bench: Bench) -> None:
    for name in ("mine", "mine.old"):
        (bench.folder / name).mkdir()
        (bench.folder / name / "thesis.txt").write_text("precious")
    refused(bench.run("run", inputs.recipe(bench), "--out", "mine", "--overwrite"), "mine")


@fault(("own_partial", "a folder of the user's called NAME.partial beside --out"))
def own_partial(bench: Bench) -> None:
    (bench.folder / "prec.partial").mkdir()
    (bench.folder / "prec.partial" / "thesis.txt").write_text("precious")
    _broken_checkpoint(bench)
    refused(bench.run("run", inputs.recipe(bench), BROKEN, "--out", "prec"))


@fault(("own_partial_over", "a folder of the user's called NAME.partial, a whole run with --overwrite"))
def own_partial_overwrite(bench: Bench) -> None:
    (bench.folder / "out.partial").mkdir()
    precious = bench.folder / "out.partial" / "thesis.txt"
    precious.write_text("precious")
    result = bench.run("run", inputs.recipe(bench), "--out", "out", "--overwrite")
    need(precious.exists(), "deleted: out.partial/thesis.txt")
    quiet(result)


@fault(
    ("again", "a second run where an unfinished run is"),
    ("again_over", "--overwrite with a recipe that fails, where an unfinished run is"),
)
def again(bench: Bench) -> None:
    work = inputs.stopped(bench)
    file = inputs.recipe(bench)
    _broken_checkpoint(bench)
    with bench.row("again"):
        refused(bench.run("run", file, "--out", "out"), "--resume")
        need(any(work.rglob("last.ckpt")), "the unfinished run is gone")
    with bench.row("again_over"):
        refused(bench.run("run", file, BROKEN, "--out", "out", "--overwrite"), "evil.safetensors")
        found = partial(bench)
        need(
            found and any(found.rglob("last.ckpt")), "the unfinished run is deleted before the new one works"
        )


@fault(("over_fail", "--overwrite of a finished run with a recipe that fails"))
def failing_overwrite(bench: Bench) -> None:
    inputs.run_copy(bench)
    _broken_checkpoint(bench)
    refused(bench.run("run", inputs.recipe(bench), BROKEN, "--out", "run", "--overwrite"), "evil.safetensors")


@fault(("moved", "predict with a run that was moved to a path with a space and é"))
def moved(bench: Bench) -> None:
    inputs.images(bench)
    inputs.run_copy(bench, "new place é")
    succeeded(bench.run("predict", "new place é", "pred", "--out", "out"))
    labeled(bench, inputs.NAMES)


@fault(("mv_r", "resume of an unfinished run that was moved and renamed"))
def moved_unfinished(bench: Bench) -> None:
    work = inputs.stopped(bench, FIRST)
    (bench.folder / "out place").mkdir()
    work.rename(bench.folder / "out place" / work.name.replace("out", "mv2"))
    succeeded(bench.run("run", "--resume", "out place/mv2"))
    shutil.move(bench.folder / "out place" / "mv2", bench.folder / "out")
    same_weights(bench)


HOSTILE = "<script>alert(1)</script> {{ 7*7 }} | *x* [a](javascript:x) =cmd()"


@fault(("names", "hostile names of images, title, description, limits and tags"))
def hostile_names(bench: Bench) -> None:
    root = inputs.data(bench)
    for split in ("train", "test"):
        for index, path in enumerate(sorted((root / split / "images").iterdir())):
            name = ("=cmd()", "+1", "@a", "<b>x", "-2", "{{7*7}}")[index % 6] + f"{index}.tif"
            path.rename(path.with_name(name))
            (root / split / "masks" / path.name).rename(root / split / "masks" / name)
    text = inputs.RECIPE.replace("Discs", f"'{HOSTILE}'").replace("Finds discs.", f"'{HOSTILE}'")
    text = text.replace("epochs: 3", "epochs: 1") + f"  limits: ['{HOSTILE}']\n"
    file = inputs.recipe(bench, root, text=text)
    succeeded(bench.run("run", file, "--out", "out", timeout=150))
    report = (bench.folder / "out" / "report.html").read_text()
    need("<script>alert" not in report and "<b>x" not in report, "a name is markup in report.html")
    need("49" not in report.split("alert(1)")[1][:60], "a template in a title is evaluated")
    with (bench.folder / "out" / "scores.csv").open() as scores:
        cells = [cell for row in csv.reader(scores) for cell in row]
    formulas = [cell for cell in cells if cell[:1] in ("=", "+", "@") and not cell[1:2].isdigit()]
    need(not formulas, f"scores.csv has a cell that a spreadsheet computes: {formulas[:1]}")


@fault(("out_dates", "a run is written where the folder of runs is a link"))
def linked_folder(bench: Bench) -> None:
    (bench.folder / "out-real").mkdir()
    (bench.folder / "out-link").symlink_to("out-real")
    file = inputs.recipe(bench)
    succeeded(bench.run("run", file, "training.epochs=1", "--out", "out-link/run", timeout=150))
    consistent(bench.folder / "out-real" / "run")
    need(b"precious" not in content(bench.folder / "out-link"), "the link is gone")


def _memory(bench: Bench, kilobytes: int, enough: bool) -> None:
    """The installed command, because the limit is about its imports, too."""
    file = inputs.recipe(bench)
    bench.seal()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (kilobytes * 1024, kilobytes * 1024))

    done = subprocess.run(
        [sys.executable, "-m", "finetune.cli", "run", file, "training.epochs=1", "--out", "out"],
        cwd=bench.folder,
        capture_output=True,
        text=True,
        timeout=240,
        preexec_fn=limit,
    )
    need("Traceback" not in done.stderr, f"a traceback: {done.stderr.strip()[-90:]}")
    if enough:
        need(done.returncode == 0, f"exit {done.returncode}")
        return
    errors = [line for line in done.stderr.splitlines() if line.startswith("finetune: ")]
    need(done.returncode in (0, 2), f"exit {done.returncode}: {done.stderr.strip()[-80:]}")
    need(done.returncode == 0 or len(errors) == 1, "no line that says why")


fault(("ulimit_3000000", "3 GB of address space"))(bind(_memory, kilobytes=3_000_000, enough=False))
fault(("ulimit_5000000", "5 GB of address space"))(bind(_memory, kilobytes=5_000_000, enough=True))
