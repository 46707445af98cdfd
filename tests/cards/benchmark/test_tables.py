"""Tables, recommendation and plot of a benchmark, from results by hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cards.benchmark.plot import draw_pareto
from cards.benchmark.recommendation import pareto_front, recommend
from cards.benchmark.results import Benchmark, ModelResult, QuotedResult
from cards.benchmark.tables import csv_scores, csv_table, latex_table, markdown_table, rows, select
from cards.errors import InputError
from cards.record import Environment
from cards.scores import ImageScore


def result(title: str, dice: tuple[float, ...], seconds: float, **more: Any) -> ModelResult:
    scores = [
        ImageScore(image=f"image_{i}", metrics={"dice": value, "ap50": value / 2, "pq": 0.5}, seconds=seconds)
        for i, value in enumerate(dice)
    ]
    known = {"key": title, "title": title, "repository": "StarDist", "stage": "untuned", "scores": scores}
    return ModelResult(**known | more)


@pytest.fixture
def benchmark() -> Benchmark:
    return Benchmark(
        title="Nuclei",
        created="2026-01-02T03:04:05+00:00",
        finetune_version="0.3.0",
        data="sample",
        data_digest="0" * 64,
        dice_of="foreground",
        images=["image_0", "image_1", "image_2"],
        unrelated=["image_2"],
        device="a processor",
        environment=Environment(
            python="3.11", platform="Linux", cpu="a processor", cores=2, memory_bytes=None, packages={}
        ),
        results=[
            result("slow", (0.9, 0.9, 0.96), 2.0, interval=(0.9, 0.96), license="MIT", parameters=1000),
            result("quick", (0.8, 0.8, 0.8), 0.02, stage="fine-tuned", exposure="no"),
            result("middle", (0.91, 0.9, 0.91), 0.5, interval=(0.9, 0.91)),
            result("beaten", (0.7, 0.7, 0.7), 0.6),
            result("=cmd", (), 0.0, error="no | such model"),
        ],
        quoted=[QuotedResult(title="cyto3", repository="Cellpose", dice=0.8231, std=0.1725, seconds=1.08)],
        quoted_from="a talk",
    )


def test_measured_models_come_first_then_failed_and_quoted_ones(benchmark: Benchmark) -> None:
    header, *body = rows(benchmark)
    assert [row[1] for row in body] == ["slow", "middle", "quick", "beaten", "=cmd", "cyto3"]
    cells = dict(zip(header, body[0], strict=True))
    assert cells["Dice"] == "0.9200 ± 0.0283"
    assert cells["95 % interval"] == "0.9000 to 0.9600"
    assert cells["Dice, 1 unrelated image"] == "0.9600"
    assert (cells["AP50"], cells["PQ"], cells["Time"]) == ("0.4600", "0.5000", "2 s")
    assert (cells["Parameters"], cells["License"], cells["Seen in training"]) == ("1,000", "MIT", "unknown")
    assert dict(zip(header, body[4], strict=True))["Dice"] == "failed"
    quoted = dict(zip(header, body[5], strict=True))
    assert (quoted["Stage"], quoted["Dice"], quoted["Time"]) == ("quoted", "0.8231 ± 0.1725", "1.08 s")
    assert quoted["AP50"] == ""


def test_without_a_comparison_there_is_no_column_of_unrelated_images(benchmark: Benchmark) -> None:
    assert not any("unrelated" in name for name in rows(benchmark.model_copy(update={"unrelated": None}))[0])


def test_no_cell_of_a_csv_file_is_a_formula(benchmark: Benchmark) -> None:
    assert "'=cmd" in [row[1] for row in csv.reader(io.StringIO(csv_table(rows(benchmark))))]
    formula = benchmark.model_copy(update={"results": [result("=cmd", (0.5,), 1.0)]})
    assert [row["model"] for row in csv.DictReader(io.StringIO(csv_scores(formula)))] == ["'=cmd"]
    scores = list(csv.DictReader(io.StringIO(csv_scores(benchmark))))
    assert len(scores) == 12
    assert scores[0] == {
        "repository": "StarDist",
        "model": "slow",
        "stage": "untuned",
        "image": "image_0",
        "dice": "0.9",
        "ap50": "0.45",
        "pq": "0.5",
        "seconds": "2.0",
    }


def test_special_characters_are_escaped() -> None:
    table = [["Model", "95 % interval"], ["a_b|c & {d}", "1 ± 2"]]
    assert r"a_b\|c & {d}" in markdown_table(table)
    latex = latex_table(table, "50 %")
    assert r"a\_b|c \& \{d\} & 1 $\pm$ 2 \\" in latex
    assert r"\caption{50 \%}" in latex


def test_columns_are_selected_and_empty_rows_dropped(benchmark: Benchmark) -> None:
    table = select(rows(benchmark), ("Model", "License"), empty=False)
    others = [[name, "not stated"] for name in ("middle", "quick", "beaten")]
    assert table == [["Model", "License"], ["slow", "MIT"], *others]


def test_the_front_holds_models_that_no_other_beats(benchmark: Benchmark) -> None:
    assert [model.title for model in pareto_front(benchmark.measured())] == ["quick", "middle", "slow"]


def test_recommendation_in_words(benchmark: Benchmark) -> None:
    assert recommend(benchmark, [1.0, 0.1]) == [
        "Most accurate: slow (StarDist), Dice 0.9200, 2 s per image. "
        "Its 95 % interval contains the mean of middle.",
        "Fastest: quick (StarDist, fine-tuned), Dice 0.8000, 20 ms per image.",
        "Most accurate within 1 s per image: middle (StarDist), Dice 0.9067, 500 ms per image.",
    ]
    assert recommend(benchmark.model_copy(update={"results": benchmark.results[-1:]})) == []


def test_times_on_other_hardware_are_named_and_not_compared(benchmark: Benchmark, tmp_path: Path) -> None:
    other = result("on a GPU", (0.95, 0.95, 0.95), 0.001, hardware="a GPU, 2 threads")
    with_other = benchmark.model_copy(update={"results": [*benchmark.results, other]})
    header, first, *_ = rows(with_other)
    cells = dict(zip(header, first, strict=True))
    assert (cells["Model"], cells["Time"]) == ("on a GPU", "1 ms on a GPU, 2 threads")
    assert recommend(with_other, [1.0]) == [
        "Most accurate: on a GPU (StarDist), Dice 0.9500, 1 ms per image on a GPU, 2 threads.",
        "Fastest: quick (StarDist, fine-tuned), Dice 0.8000, 20 ms per image.",
        "Most accurate within 1 s per image: middle (StarDist), Dice 0.9067, 500 ms per image.",
    ]
    assert "on a GPU" not in [model.title for model in with_other.timed()]
    draw_pareto(with_other, tmp_path / "with.png")
    draw_pareto(benchmark, tmp_path / "without.png")
    assert (tmp_path / "with.png").read_bytes() == (tmp_path / "without.png").read_bytes()


def test_the_plot_is_a_picture(benchmark: Benchmark, tmp_path: Path) -> None:
    draw_pareto(benchmark, tmp_path / "pareto.png")
    with Image.open(tmp_path / "pareto.png") as image:
        assert image.width > 800
        assert len(image.convert("RGB").getcolors(2**24) or []) > 10


def test_results_are_read_again_and_other_files_refused(benchmark: Benchmark, tmp_path: Path) -> None:
    path = tmp_path / "benchmark.json"
    path.write_text(benchmark.dumps(), encoding="utf-8")
    assert Benchmark.read(path) == benchmark
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"benchmark.json: no benchmark: title: Field required"):
        Benchmark.read(path)
