"""Folders as people have them: other words for the splits, files that are left out, other layouts."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import tifffile

from fault_cases import inputs
from fault_cases.bench import Bench, Result
from fault_cases.judge import need, quiet, refused, succeeded
from fault_cases.registry import fault


def dry_run(bench: Bench, root: str | Path = "own", *more: str, timeout: float = 90) -> Result:
    """Look at a data set without training."""
    file = inputs.recipe(bench)
    return bench.run("run", file, f"data.root={root}", *more, "--out", "out", "--dry-run", timeout=timeout)


def pairs(bench: Bench, root: Path, names: list[str], seed: int = 0, suffix: str = ".tif") -> None:
    """Write pairs of images and masks, each of its own pixels."""
    for index, name in enumerate(names):
        image, mask = inputs.disc_image(seed=seed + index)
        inputs.write_pair(root, name, image, mask, suffix)


def _numbers(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{index}" for index in range(count)]


@fault(("field_10", "train/ valid/ test/ as Roboflow exports, and Train/ Val/ Test/"))
def other_words(bench: Bench) -> None:
    for root, words in (("own", ("train", "valid", "test")), ("own2", ("Train", "Val", "Test"))):
        for seed, (word, count) in enumerate(zip(words, (4, 2, 2), strict=True)):
            pairs(bench, bench.folder / root / word, _numbers("i", count), seed=100 * seed)
        result = dry_run(bench, root)
        quiet(result)
        right = "4 train, 2 validation, 2 test" in result.text
        told = words[1] in result.text and (result.code != 0 or "warning" in result.text)
        need(right or told, f"{root}/{words[1]} is not used, without a word")
        bench.sealed = None


@fault(("field_11", "images of another ending, and in a subfolder"))
def left_out(bench: Bench) -> None:
    from PIL import Image

    pairs(bench, bench.folder / "own", _numbers("i", 3))
    pairs(bench, bench.folder / "own2", _numbers("i", 3))
    for index in range(3):
        for kind, pixels in zip(("images", "masks"), inputs.disc_image(seed=50 + index), strict=True):
            Image.fromarray(pixels.astype(np.uint8)).save(bench.folder / "own" / kind / f"k{index}.bmp")
    for kind in ("images", "masks"):
        shutil.copytree(bench.folder / "own" / kind, bench.folder / "own2" / kind / "extra")
        for path in (bench.folder / "own2" / kind / "extra").glob("*.bmp"):
            path.unlink()
    for root, word in (("own", "bmp"), ("own2", "extra")):
        result = dry_run(bench, root)
        quiet(result)
        need("6 pairs" in result.text or word in result.text.lower(), f"{root}: half of the data is left out")


@fault(("field_15", "names from a Mac (NFD) beside names from elsewhere (NFC)"))
def unicode_forms(bench: Bench) -> None:
    pairs(bench, bench.folder / "own", [f"Zellkörper_{index}" for index in range(6)])
    for path in sorted((bench.folder / "own" / "images").iterdir()):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    for path in sorted((bench.folder / "own" / "masks").iterdir()):
        path.rename(path.with_name(unicodedata.normalize("NFC", path.name)))
    succeeded(dry_run(bench), "6 pairs")


@fault(("field_17", "Cellpose: _cp_masks.png, _flows.tif and _seg.npy beside the images"))
def cellpose(bench: Bench) -> None:
    from PIL import Image

    for root, kinds in (("own", ("png",)), ("own2", ("png", "flows")), ("own3", ("npy",))):
        folder = bench.folder / root
        folder.mkdir()
        for index in range(6):
            image, mask = inputs.disc_image(seed=index)
            tifffile.imwrite(folder / f"i{index}.tif", image)
            if "png" in kinds:
                Image.fromarray(mask).save(folder / f"i{index}_cp_masks.png")
            if "flows" in kinds:
                tifffile.imwrite(folder / f"i{index}_flows.tif", np.zeros((3, *mask.shape), np.float32))
            if "npy" in kinds:
                content = {"masks": mask, "outlines": mask * 0, "filename": f"i{index}.tif"}
                np.save(folder / f"i{index}_seg.npy", np.array(content, dtype=object), allow_pickle=True)
        succeeded(dry_run(bench, root), "6 pairs")
        bench.sealed = None


@fault(("field_18", "Kaggle: one folder an image, one PNG a nucleus"))
def kaggle(bench: Bench) -> None:
    from PIL import Image

    for index in range(4):
        image, mask = inputs.disc_image(seed=index)
        folder = bench.folder / "own" / f"{index:03}"
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True)
        Image.fromarray(np.stack([image] * 3, -1)).convert("RGBA").save(folder / "images" / f"{index:03}.png")
        for nucleus in np.unique(mask)[1:]:
            one = ((mask == nucleus) * 255).astype(np.uint8)
            Image.fromarray(one).save(folder / "masks" / f"n{nucleus}.png")
    result = dry_run(bench, "own", "data.channels=gray")
    if result.code:
        refused(result, ("nucleus", "object", "instance"), "mask")  # what layout this is
    else:
        succeeded(result, "4 pairs")


@fault(("field_28", "mixed endings, dots, spaces and umlauts in names; a run called my.model.v1.2"))
def mixed_names(bench: Bench) -> None:
    pairs(bench, bench.folder / "own", ["a.b c", "ü", "x.v1", "d", "e", "f"])
    for kind in ("images", "masks"):
        folder = bench.folder / "own" / kind
        (folder / "d.tif").rename(folder / "d.TIF")
        (folder / "e.tif").rename(folder / "e.Tiff")
    file = inputs.recipe(bench, bench.folder / "own")
    change = ("name=my.model.v1.2", "training.epochs=1", "--out", "out.my.model.v1.2")
    succeeded(bench.run("run", file, *change, timeout=150))
    found = [path.name for path in (bench.folder / "out.my.model.v1.2" / "bioimageio").iterdir()]
    need("my.model.v1.2.zip" in found, f"packages: {found}")


@fault(("field_29", "one training image"))
def one_image(bench: Bench) -> None:
    pairs(bench, bench.folder / "own", ["only"])
    file = inputs.recipe(bench, bench.folder / "own")
    result = bench.run("run", file, "training.epochs=1", "--out", "out", timeout=150)
    succeeded(result, "validation", "test")


@fault(("field_31", "own images with the name of a data set left in the recipe"))
def wrong_name(bench: Bench) -> None:
    pairs(bench, bench.folder / "own", _numbers("i", 6))
    result = bench.run("run", "quickstart", "data.root=own", "--out", "out", "--dry-run")
    succeeded(result, "sample")


def _table(bench: Bench, content: bytes, name: str) -> Result:
    (bench.folder / "own" / name).write_bytes(content)
    return dry_run(bench, "null", f"data.csv=own/{name}")


@fault(("field_32", "CSV with semicolons, capitals, UTF-16 and backslashes"))
def tables(bench: Bench) -> None:
    pairs(bench, bench.folder / "own", _numbers("i", 4))
    rows = [("image", "label"), *((f"images/i{index}.tif", f"masks/i{index}.tif") for index in range(4))]
    text = "\n".join(",".join(row) for row in rows) + "\n"
    tables = {
        "semicolon.csv": text.replace(",", ";").encode(),
        "capitals.csv": text.replace("image,label", "Image,Label").encode(),
        "utf16.csv": text.encode("utf-16"),
        "backslash.csv": text.replace("/", "\\").encode(),
    }
    for name, content in tables.items():
        result = _table(bench, content, name)
        if result.code:
            refused(result, name)
        else:
            succeeded(result, "4 pairs")
        bench.sealed = None


@fault(("field_35", "data.root=~/x"))
def home(bench: Bench) -> None:
    pairs(bench, bench.folder / "home" / "x", _numbers("i", 4))
    file = inputs.recipe(bench)
    change = ("data.root=~/x", "--out", "out", "--dry-run")
    succeeded(bench.run("run", file, *change, env={"HOME": str(bench.folder / "home")}), "4 pairs")


@fault(("field_33", "--dry-run says size, type, channels and values, and writes a contact sheet"))
def overview(bench: Bench) -> None:
    inputs.data(bench, "own")
    result = dry_run(bench)
    succeeded(result, "uint8", "64", "channel")
    sheets = [path for path in bench.folder.rglob("*.png") if "own" not in path.parts]
    need(sheets, "no contact sheet")
