"""How many annotated images are enough: accuracy against the number of training images."""

from __future__ import annotations

from pathlib import Path

from cards import formatting as words
from cards.benchmark.results import Benchmark, FractionResult
from cards.benchmark.tables import Rows
from cards.canvas import PALETTE, open_figure

WIDTH, HEIGHT = 7.0, 3.8  # inches


def curves(benchmark: Benchmark) -> dict[str, list[FractionResult]]:
    """Measured fractions of each recipe.

    Args:
        benchmark: the results.

    Returns:
        Results by recipe, the fewest training images first.
    """
    found: dict[str, list[FractionResult]] = {}
    for one in benchmark.fractions:
        if one.train_images is not None and one.result.scores:
            found.setdefault(one.recipe, []).append(one)
    return {recipe: sorted(points, key=_train_images) for recipe, points in found.items()}


def fraction_rows(benchmark: Benchmark) -> Rows:
    """Cells of the table: one row for each recipe and fraction.

    Args:
        benchmark: the results.

    Returns:
        Rows of text, the first of which is the header.
    """
    header = ["Model", "Training images", "Fraction", "Dice", "95 % interval", "AP50", "PQ"]
    return [header, *(_row(one) for points in curves(benchmark).values() for one in points)]


def enough_images(benchmark: Benchmark) -> list[str]:
    """State the smallest number of training images that does as well as all of them.

    A fraction does as well if its mean Dice is not below the 95 % interval of that with all images.

    Args:
        benchmark: the results.

    Returns:
        One sentence for each recipe that was run with all training images.
    """
    sentences = []
    for recipe, points in curves(benchmark).items():
        *_, last = points
        interval = last.result.interval
        if last.fraction < 1 or interval is None or len(points) == 1:
            continue
        count = words.counted(last.train_images or 0, "training image")
        every = f"{recipe}: Dice {words.score(last.result.mean())} with all {count}"
        enough = next(one for one in points if one is last or _dice(one) >= interval[0])
        if enough is last:
            sentences.append(f"{every}; with fewer, Dice is lower than the 95 % interval of that figure.")
        else:
            place = "lies within" if _dice(enough) <= interval[1] else "exceeds"
            sentences.append(
                f"{every}, {words.score(enough.result.mean())} with {enough.train_images}, which {place} "
                "the 95 % interval of that figure."
            )
    return sentences


def draw_fractions(benchmark: Benchmark, path: Path) -> None:
    """Draw mean Dice against the number of training images, with 95 % intervals.

    Args:
        benchmark: the results, with at least one measured fraction.
        path: output PNG.
    """
    with open_figure(path, WIDTH, HEIGHT) as figure:
        axes = figure.add_subplot()
        counts = set()
        for index, (recipe, points) in enumerate(curves(benchmark).items()):
            images, dice = [_train_images(one) for one in points], [_dice(one) for one in points]
            intervals = [one.result.interval or (_dice(one), _dice(one)) for one in points]
            below = [mean - low for mean, (low, _) in zip(dice, intervals, strict=True)]
            above = [high - mean for mean, (_, high) in zip(dice, intervals, strict=True)]
            color = PALETTE[index % len(PALETTE)]
            axes.errorbar(images, dice, yerr=[below, above], marker="o", capsize=3, color=color, label=recipe)
            counts |= set(images)
        axes.set_xscale("log")
        axes.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
        axes.minorticks_off()
        axes.set_xlabel("training images")
        axes.set_ylabel(f"mean Dice over {words.counted(len(benchmark.images), 'test image')}")
        axes.legend(loc="lower right")


def _row(one: FractionResult) -> list[str]:
    result = one.result
    low, high = result.interval or (None, None)
    return [
        one.recipe,
        str(one.train_images),
        f"{one.fraction:.0%}" if one.fraction >= 0.01 else f"{one.fraction:.1%}",
        words.mean_std(result.mean(), result.std()),
        words.NOT_MEASURED if low is None else f"{low:.4f} to {high:.4f}",
        words.score(result.mean("ap50")),
        words.score(result.mean("pq")),
    ]


def _train_images(one: FractionResult) -> int:
    return one.train_images or 0


def _dice(one: FractionResult) -> float:
    return one.result.point()[1]
