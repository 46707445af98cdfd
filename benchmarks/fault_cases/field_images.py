"""Images and masks as people have them: axes, ids, values that mean something else than they seem to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as bind

import numpy as np
import tifffile

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.field_layouts import dry_run, pairs
from fault_cases.judge import need, quiet, refused, succeeded
from fault_cases.registry import fault

COUNT = 6


def _write(bench: Bench, change: Callable[[np.ndarray, np.ndarray], tuple], root: str = "own") -> None:
    """Write pairs that `change` makes of discs."""
    for index in range(COUNT):
        inputs.write_pair(bench.folder / root, f"i{index}", *change(*inputs.disc_image((96, 96), seed=index)))


def _warned(bench: Bench, *words: str, what: str) -> None:
    """The dry run warns, or refuses in one line, with one of the words."""
    result = dry_run(bench)
    quiet(result)
    need(any(word in result.text.lower() for word in words), f"{what}, without a word")
    need(result.code == 0 or len(result.errors) == 1, f"exit {result.code}")


@fault(("field_12", "ids of 2,000,000,000 and more in a mask"))
def large_ids(bench: Bench) -> None:
    large = np.uint32(2_000_000_000)
    _write(bench, lambda image, mask: (image, np.where(mask > 0, mask + large, 0).astype(np.uint32)))
    _write(bench, lambda image, mask: (image, mask), root="plain")
    change = ("data.name=null", "data.channels=gray", "model.pretrained=false", "--out", "out", "--dry-run")
    results = [bench.run("run", "cyto3_nuclei", f"data.root={root}", *change) for root in ("own", "plain")]
    for result in results:
        succeeded(result)
    need(results[0].memory < results[1].memory + 1e9, f"{results[0].memory / 1e9:.1f} GB of memory")
    need(results[0].out == results[1].out, "another result than with ids 1 to n")


@fault(("field_24", "ids with gaps and over 65,535: the same scores"))
def scores_of_large_ids(bench: Bench) -> None:
    code = """
import numpy as np
import finetune
small = np.kron(np.arange(1, 26).reshape(5, 5), np.pad(np.ones((6, 6)), 2)).astype(np.int64)
large = np.where(small > 0, small * 7919 + 2_000_000_000, 0)
moved = np.roll(small, 1, 0)
one, two = (str(finetune.evaluate(labels, moved)) for labels in (large, small))
print("same" if one == two else "other")
"""
    result = bench.run(code=code)
    quiet(result)
    need(result.out.strip() == "same", "other scores")


@fault(("field_23", "empty against empty, empty against something"))
def empty_scores(bench: Bench) -> None:
    code = """
import numpy as np
import finetune
empty, some = np.zeros((32, 32), np.int32), np.pad(np.ones((8, 8), np.int32), 12)
for one, two in ((empty, empty), (empty, some), (some, empty)):
    scores = finetune.evaluate(one, two).images["0"]
    print(*sorted({scores[name] for name in ("dice", "ap50", "ap75", "ap95", "mean_ap", "pq")}))
"""
    result = bench.run(code=code)
    quiet(result)
    lines = [{float(word) for word in line.split()} for line in result.out.splitlines()]
    need(lines == [{1.0}, {0.0}, {0.0}], f"scores {result.out.splitlines()}")


MASKS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "float": ("float32", lambda mask: mask.astype(np.float32) + 0.5),
    "ignore": ("-1", lambda mask: np.where(mask == 1, -1, mask).astype(np.int16)),
    "rgb": ("RGB", lambda mask: np.stack([mask.astype(np.uint8)] * 3, -1)),
}


@fault(("field_25", "masks of float32, with -1, and RGB"))
def odd_masks(bench: Bench) -> None:
    for name, (_, change) in MASKS.items():
        _write(bench, lambda image, mask, change=change: (image, change(mask)), root=name)
        refused(dry_run(bench, name), "i0.tif")
        bench.sealed = None


@fault(("field_16", "a two-channel image saved (Y, X, 2): one rule in training and prediction"))
def channels_last(bench: Bench) -> None:
    for index in range(COUNT):
        image, mask = inputs.disc_image((96, 128), seed=index)
        inputs.write_pair(bench.folder / "own", f"i{index}", np.stack([image, image // 2], -1), mask)
    trained = dry_run(bench, "own", "data.channels=[0]")
    quiet(trained)
    (bench.folder / "pred").mkdir()
    image = tifffile.imread(bench.folder / "own" / "images" / "i0.tif")
    tifffile.imwrite(bench.folder / "pred" / "x.tif", image)
    bench.sealed = None
    predicted = bench.run("predict", inputs.finished(bench), "pred", "--out", "out")
    quiet(predicted)
    right = trained.code == 0 or "channel" in trained.text.lower()
    need(right, f"no hint at the order of channels: {trained.text.strip()[-80:]}")
    hint = predicted.text.lower()
    need("x.tif" in hint and "channel" in hint, f"no hint, or no name: {hint.strip()[-80:]}")


def _soft(mask: np.ndarray) -> np.ndarray:
    """A probability, as a network or an anti-aliased drawing gives it."""
    from scipy.ndimage import gaussian_filter

    return (gaussian_filter((mask > 0).astype(float), 1.5) * 255).astype(np.uint8)


def _reused(mask: np.ndarray) -> np.ndarray:
    """Ids 1 and 2 for all cells, in turn: classes, not instances."""
    return np.where(mask > 0, 1 + mask % 2, 0).astype(np.uint16)


def _stray(mask: np.ndarray) -> np.ndarray:
    """0 and 255 with some values between, as JPEG leaves them."""
    found = np.where(mask > 0, 255, 0).astype(np.uint8)
    found[::17, ::13] = 254
    found[::19, ::11] = 1
    return found


def _border(mask: np.ndarray) -> np.ndarray:
    """One id along the whole border: background that was drawn as an object."""
    found = np.where(mask > 0, mask + 1, 0).astype(np.uint16)
    frame = np.ones(mask.shape, bool)
    frame[2:-2, 2:-2] = False
    found[frame] = 1
    return found


KINDS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], tuple[str, ...], str]] = {
    "field_06": (
        "soft masks: probabilities from 0 to 255",
        _soft,
        ("soft", "probabilit", "binary", "values"),
        "gray levels are taken for instances",
    ),
    "field_07": (
        "class masks: one id in many pieces",
        _reused,
        ("pieces", "classes", "semantic", "separate", "parts", "connected"),
        "classes are taken for instances",
    ),
    "field_08": (
        "0/255 masks with stray values",
        _stray,
        ("255", "binary", "stray", "pieces", "jpeg", "class masks"),
        "stray values are taken for instances",
    ),
    "field_09": (
        "masks shifted against their images",
        lambda mask: np.roll(mask, (14, -11), (0, 1)),
        ("shift", "align", "rotat", "correlat", "match"),
        "masks that do not fit their images are trained on",
    ),
    "field_09r": (
        "masks rotated against their images",
        lambda mask: np.rot90(mask).copy(),
        ("shift", "align", "rotat", "correlat", "match"),
        "masks that do not fit their images are trained on",
    ),
    "field_09b": (
        "one id along the whole border",
        _border,
        ("border", "frame", "edge"),
        "a frame is taken for an instance",
    ),
}


def _kind(
    bench: Bench, change: Callable[[np.ndarray], np.ndarray], words: tuple[str, ...], what: str
) -> None:
    _write(bench, lambda image, mask: (image, change(mask)))
    _warned(bench, *words, what=what)


for _id, (_description, _change, _words, _what) in KINDS.items():
    fault((_id, _description))(bind(_kind, change=_change, words=_words, what=_what))


@fault(("field_09n", "a few cells that are cut in two: no warning"))
def split_cells(bench: Bench) -> None:
    def cut(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = mask.copy()
        rows = np.nonzero((mask == 1).any(1))[0]
        if len(rows):
            found[rows[len(rows) // 2]][mask[rows[len(rows) // 2]] == 1] = 0
        return image, found

    _write(bench, cut)
    result = dry_run(bench)
    succeeded(result, "6 pairs")
    need("pieces" not in result.text.lower(), "warns of a few split cells")


@fault(("field_13", "a z-stack of three planes is not taken for three channels"))
def z_stack(bench: Bench) -> None:
    for index in range(COUNT):
        image, mask = inputs.disc_image((96, 96), seed=index)
        inputs.write_pair(bench.folder / "own", f"i{index}", image, mask)
        path = bench.folder / "own" / "images" / f"i{index}.tif"
        tifffile.imwrite(path, np.stack([image] * 3), imagej=True, metadata={"axes": "ZYX"})
    result = dry_run(bench, "own", "data.channels=gray")
    quiet(result)
    need(
        result.code or "stack" in result.text.lower() or "plane" in result.text.lower(), "taken for channels"
    )


def _sparse(bench: Bench, values: Callable[[np.ndarray], np.ndarray]) -> None:
    """Normalized values stay bounded, in the product's own reader and normalization."""
    pairs(bench, bench.folder / "own", [f"i{index}" for index in range(COUNT)])
    for path in sorted((bench.folder / "own" / "images").iterdir()):
        tifffile.imwrite(path, values(tifffile.imread(path)))
    code = """
from pathlib import Path
import numpy as np
from finetune.data.images import read_image
from finetune.data.normalization import Percentile
largest = max(float(np.abs(Percentile()(read_image(path))).max()) for path in Path("own/images").iterdir())
print(largest)
"""
    result = bench.run(code=code)
    quiet(result)
    need(float(result.out.split()[-1]) < 1000, f"normalized to {float(result.out.split()[-1]):.3g}")


def _few(image: np.ndarray) -> np.ndarray:
    found = np.zeros(image.shape, np.uint16)
    found[3, 3:6] = 40_000
    return found


def _nearly(image: np.ndarray) -> np.ndarray:
    found = np.full(image.shape, 1000.0, np.float32) + (image > 240) * 1e-4
    found[0, :8] = 60_000
    return found.astype(np.float32)


fault(("field_37", "percentiles coincide: an image that is black but for some pixels"))(
    bind(_sparse, values=_few)
)
fault(("field_38", "percentiles nearly coincide"))(bind(_sparse, values=_nearly))
