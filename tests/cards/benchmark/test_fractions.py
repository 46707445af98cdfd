"""Accuracy against the number of training images, from results by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cards.benchmark.fractions import draw_fractions, enough_images, fraction_rows
from cards.benchmark.results import Benchmark, FractionResult, ModelResult
from cards.record import Environment
from cards.scores import ImageScore


def point(fraction: float, images: int | None, dice: float, interval: tuple[float, float]) -> FractionResult:
    scores = [ImageScore(image=name, metrics={"dice": dice, "ap50": 0.5}, seconds=1.0) for name in "ab"]
    result = ModelResult(
        key="",
        title="U-Net",
        repository="WIPP",
        stage="fine-tuned",
        scores=scores if images else [],
        interval=interval,
        error=None if images else "no memory",
    )
    return FractionResult(recipe="U-Net", fraction=fraction, train_images=images, result=result)


@pytest.fixture
def benchmark() -> Benchmark:
    environment = Environment(python="3.11", platform="", cpu="", cores=2, memory_bytes=None, packages={})
    return Benchmark(
        title="Nuclei",
        created="2026-01-02T03:04:05+00:00",
        finetune_version="0.3.0",
        data="sample",
        data_digest="0" * 64,
        dice_of="foreground",
        images=["a", "b"],
        device="a processor",
        environment=environment,
        results=[],
        fractions=[
            point(0.05, 20, 0.85, (0.8, 0.9)),
            point(1.0, 400, 0.93, (0.92, 0.94)),
            point(0.5, 200, 0.925, (0.91, 0.93)),
            point(0.1, None, 0.0, (0.0, 0.0)),
        ],
    )


def test_fractions_are_listed_from_the_fewest_images_and_failed_ones_left_out(benchmark: Benchmark) -> None:
    header, *body = fraction_rows(benchmark)
    cells = [dict(zip(header, row, strict=True)) for row in body]
    assert [(row["Training images"], row["Fraction"]) for row in cells] == [
        ("20", "5%"),
        ("200", "50%"),
        ("400", "100%"),
    ]
    assert cells[0]["Dice"] == "0.8500 ± 0.0000"
    assert cells[0]["PQ"] == "not measured"


def test_the_fewest_images_within_the_interval_are_enough(benchmark: Benchmark) -> None:
    assert enough_images(benchmark) == [
        "U-Net: Dice 0.9300 with all 400 training images, 0.9250 with 200, which lies within the 95 % "
        "interval of that figure."
    ]


def test_it_is_said_if_all_images_are_needed(benchmark: Benchmark) -> None:
    benchmark.fractions = [one for one in benchmark.fractions if one.fraction != 0.5]
    (sentence,) = enough_images(benchmark)
    assert sentence.endswith("with fewer, Dice is lower than the 95 % interval of that figure.")


def test_nothing_is_said_without_the_run_on_all_images(benchmark: Benchmark) -> None:
    benchmark.fractions = [one for one in benchmark.fractions if one.fraction < 1]
    assert enough_images(benchmark) == []


def test_the_curve_is_drawn(benchmark: Benchmark, tmp_path: Path) -> None:
    draw_fractions(benchmark, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as image:
        assert image.width > 600


def test_a_fraction_above_the_interval_exceeds_it(benchmark: Benchmark) -> None:
    benchmark.fractions = [point(1.0, 400, 0.93, (0.92, 0.94)), point(0.5, 200, 0.96, (0.95, 0.97))]
    (sentence,) = enough_images(benchmark)
    assert sentence.endswith("0.9600 with 200, which exceeds the 95 % interval of that figure.")


def test_nothing_is_said_of_fractions_that_all_failed(benchmark: Benchmark) -> None:
    benchmark.fractions = [point(1.0, 400, 0.93, (0.92, 0.94)), point(0.1, None, 0.0, (0.0, 0.0))]
    assert enough_images(benchmark) == []
