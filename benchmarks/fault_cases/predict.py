"""`predict` must never replace a file that it did not write, and one bad image must not stop the rest."""

from __future__ import annotations

import shutil
import struct

import numpy as np
import tifffile

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.judge import labeled, labels, need, nothing, quiet, refused, succeeded
from fault_cases.registry import fault

GIGANTIC = 400_000


def write_bomb(path, side: int = GIGANTIC) -> None:
    """Write a TIFF of some hundred bytes that declares an image of `side` × `side` pixels."""
    tags = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, side), (279, 4, side)]
    header = struct.pack("<2sHI", b"II", 42, 24) + bytes(16) + struct.pack("<H", len(tags))
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    path.write_bytes(header + entries + struct.pack("<I", 0))


def partly(bench: Bench, result, bad: str, good: tuple[str, ...]) -> None:
    """One image failed by name, the others have their labels, exit 1."""
    quiet(result)
    need(
        result.code == 1,
        f"exit {result.code} instead of 1: {result.errors[-1][:80] if result.errors else ''}",
    )
    need(any(bad in line for line in result.errors), f"does not name {bad}")
    labeled(bench, good)


@fault(("pred_inplace", "--out is the folder of the images"))
def in_place(bench: Bench) -> None:
    finished = inputs.finished(bench)
    inputs.images(bench)
    for extra in ((), ("--overwrite",)):
        result = bench.run("predict", finished, "pred", "--out", "pred", *extra)
        if extra and "No such option" in result.err:
            break
        refused(result, "pred")
        bench.untouched()


@fault(("pred_inplace_link", "--out is a link to the folder of the images"))
def in_place_by_link(bench: Bench) -> None:
    finished = inputs.finished(bench)
    inputs.images(bench)
    (bench.folder / "out").symlink_to("pred")
    refused(bench.run("predict", finished, "pred", "--out", "out"))


@fault(("pred_link", "a link in --out that leads to an image"))
def through_a_link(bench: Bench) -> None:
    finished = inputs.finished(bench)
    inputs.images(bench)
    (bench.folder / "precious.tif").write_bytes(b"precious")
    for name, target in (("out1", "pred/b.tif"), ("out2", "precious.tif")):
        (bench.folder / name).mkdir()
        (bench.folder / name / "a.tif").symlink_to(bench.folder / target)
        result = bench.run("predict", finished, "pred/a.tif", "--out", name)
        quiet(result)
        bench.untouched()


@fault(("pred_precious", "--out holds a file of that name that finetune did not write"))
def over_a_file(bench: Bench) -> None:
    finished = inputs.finished(bench)
    inputs.images(bench)
    (bench.folder / "mine").mkdir()
    (bench.folder / "mine" / "b.tif").write_bytes((bench.folder / "pred" / "c.tif").read_bytes())
    refused(bench.run("predict", finished, "pred", "--out", "mine"), "b.tif")


@fault(("pred_mix", "a truncated TIFF between good ones"))
def damaged_image(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench)
    pixels = tifffile.imread(folder / "b.tif")
    tifffile.imwrite(folder / "b.tif", np.tile(pixels, (8, 8)), compression="zlib")
    inputs.cut(folder / "b.tif")
    partly(bench, bench.run("predict", finished, "pred", "--out", "out"), "b.tif", ("a", "c", "d"))


@fault(("pred_bomb", "a TIFF that declares 400,000 × 400,000 px between good ones"))
def bomb(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench)
    write_bomb(folder / "a.tif")
    result = bench.run("predict", finished, "pred", "--out", "out")
    partly(bench, result, "a.tif", ("b", "c", "d"))
    need(result.memory < 4e9, f"{result.memory / 1e9:.1f} GB of memory")


@fault(("pred_stem", "a.tif and a.tiff in one folder"))
def same_stem(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    shutil.copy(bench.shared / "pred" / "b.tif", folder / "a.tiff")
    result = bench.run("predict", finished, "pred", "--out", "out")
    if result.code == 0:
        quiet(result)
        need(len(labels(bench)) == 2, "two images, one label image: the first is lost without a word")
    else:
        refused(result, "a.tif")
        nothing(bench)


@fault(("pred_tiny", "images of 1 × 1, 3 × 5000 and of one value"))
def tiny(bench: Bench) -> None:
    finished = inputs.finished(bench)
    (bench.folder / "pred").mkdir()
    shapes = {"one": (1, 1), "strip": (3, 5000), "flat": (64, 64)}
    for name, shape in shapes.items():
        tifffile.imwrite(bench.folder / "pred" / f"{name}.tif", np.full(shape, 7, np.uint8))
    succeeded(bench.run("predict", finished, "pred", "--out", "out"))
    found = {name: pixels.shape for name, pixels in labels(bench).items()}
    need(found == shapes, f"labels of other sizes: {found}")


@fault(("pred_wrap", "long paths: the output can be read by a program"))
def unwrapped(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    name = "a file name - with spaces - " + "y" * 90
    (folder / "a.tif").rename(folder / f"{name}.tif")
    result = bench.run("predict", finished, "pred", "--out", "out")
    succeeded(result)
    lines = [line for line in result.out.splitlines() if line.strip()]
    need(len(lines) == 1 and f"{name}.tif" in lines[0], "a path is broken over lines of output")


@fault(("pred_json", "--json: one object an image on standard output"))
def as_json(bench: Bench) -> None:
    import json

    finished = inputs.finished(bench)
    inputs.images(bench)
    result = bench.run("predict", finished, "pred", "--out", "out", "--json")
    succeeded(result)
    try:
        json.loads(result.out)
    except ValueError:
        try:
            [json.loads(line) for line in result.out.splitlines()]
        except ValueError as error:
            need(False, f"standard output is no JSON: {error}")


@fault(("pred_gone", "an image that vanishes, an unreadable link, a folder that ends in .tif"))
def odd_entries(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    (folder / "dangling.tif").symlink_to("nowhere.tif")
    (folder / "folder.tif").mkdir()
    result = bench.run("predict", finished, "pred", "--out", "out")
    quiet(result)
    need(result.code in (0, 1), f"exit {result.code}: {result.errors[-1][:80] if result.errors else ''}")
    labeled(bench, ("a",))
