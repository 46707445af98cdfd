"""Tables of runs: seeds in one row, other images in another table, paired differences, and missing values."""

from __future__ import annotations

import csv
import io
from statistics import fmean, pstdev, stdev

import examples
import numpy as np
import pytest

from cards.benchmark.grouping import Quoted, RunTable, distinct, find_row, group
from cards.benchmark.results import QuotedResult
from cards.benchmark.run_figures import csv_figures
from cards.benchmark.run_notes import notes_on
from cards.benchmark.run_table import Contents, accuracy, details, report
from cards.errors import InputError
from cards.leakage import unrelated_images
from cards.record import RunRecord
from finetune.benchmark.run_records import bootstrap


def run(seed: int = 0, shift: float = 0.0, name: str = "unet_nuclei", **training: object) -> RunRecord:
    """A run of a recipe; `shift` is added to the Dice of every image."""
    record = examples.full()
    record.name = name
    record.recipe["name"] = name
    record.recipe["training"] |= {"seed": seed, **training}
    record.training.seed = seed
    record.training.seconds += seed
    record.created = f"2026-03-14T09:{seed:02d}:00+00:00"
    assert record.accuracy is not None
    for score in record.accuracy.after.scores:
        score.metrics["dice"] += shift
    return record


def dice(record: RunRecord) -> dict[str, float]:
    assert record.accuracy is not None
    return {score.image: score.metrics["dice"] for score in record.accuracy.after.scores}


def cells(table: RunTable, **contents: object) -> list[dict[str, str]]:
    header, *body = accuracy(table, Contents(bootstrap, **contents))
    return [dict(zip(header, row, strict=True)) for row in body]


def rows_of(tables: list[RunTable]) -> list[list[str]]:
    return [[row.title for row in table.rows if row.stage == "after"] for table in tables]


def figures(tables: list[RunTable], **contents: object) -> list[dict[str, str]]:
    text = csv_figures(tables, Contents(bootstrap, **contents))
    return list(csv.DictReader(io.StringIO(text)))


def test_runs_of_one_recipe_with_different_seeds_are_one_row() -> None:
    runs = [run(0), run(1, 0.002), run(2, -0.001)]
    for index, record in enumerate(runs):  # each seed is best on other images
        record.accuracy.after.scores[index].metrics["dice"] -= 0.2
    (table,) = group(list(reversed(runs)))
    assert rows_of([table]) == [["unet_nuclei"]]
    row = figures([table])[0]
    means = [fmean(dice(record).values()) for record in runs]
    assert row["seeds"] == "0; 1; 2"
    assert float(row["dice"]) == pytest.approx(fmean(means))
    assert float(row["dice_std"]) == pytest.approx(fmean(pstdev(dice(record).values()) for record in runs))
    assert float(row["dice_seed_std"]) == pytest.approx(stdev(means))
    images = sorted(dice(runs[0]))
    over_seeds = [fmean(dice(record)[image] for record in runs) for image in images]
    rng = np.random.default_rng(7)
    resampled = [rng.choice(over_seeds, len(images)).mean() for _ in range(20_000)]
    assert [float(row["dice_low"]), float(row["dice_high"])] == pytest.approx(
        np.percentile(resampled, [2.5, 97.5]).tolist(), abs=1e-3
    )
    assert details(table, Contents(bootstrap))[1][4:6] == ["0, 1, 2", f"{stdev(means):.4f}"]


def test_a_second_run_with_the_same_seed_counts_as_that_seed() -> None:
    again = run(0, 0.03)
    again.created = "2026-03-15T09:00:00+00:00"
    tables = group([run(0), again, run(1)])
    (row,) = [row for row in figures(tables) if row["stage"] == "after"]
    assert (row["seeds"], row["runs"]) == ("0; 1", "3")
    mean = fmean(dice(run()).values())
    assert float(row["dice"]) == pytest.approx(((mean + mean + 0.03) / 2 + mean) / 2)
    assert notes_on(tables) == [
        "unet_nuclei: 3 runs with 2 seeds; runs with the same seed are averaged first and count as one"
    ]


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (lambda record: record.recipe["training"].update(epochs=30), "unet_nuclei, training.epochs 30"),
        (lambda record: setattr(record.training, "precision", "32-true"), "unet_nuclei, precision 32-true"),
        (lambda record: setattr(record, "finetune_version", "0.2.0"), "unet_nuclei, finetune 0.2.0"),
        (
            lambda record: setattr(record.model.base, "sha256", "f" * 64),
            "unet_nuclei, base weights ffffffffffff",
        ),
        (lambda record: record.data.files.pop(0), "unet_nuclei, training images 39 ("),
    ],
)
def test_runs_that_differ_in_anything_else_are_rows_with_that_in_their_title(change, title: str) -> None:
    other = run(1)
    change(other)
    (titles,) = rows_of(group([run(0), other]))
    assert len(titles) == 2
    assert any(one.startswith(title) for one in titles)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.recipe.update(name="renamed", takes="1 min"),
        lambda record: record.recipe["data"].update(root="elsewhere"),
        lambda record: setattr(record.training, "device", "another GPU"),
        lambda record: setattr(record.environment, "git_commit", "f" * 40),
    ],
)
def test_names_folders_hardware_and_commits_do_not_separate_seeds(change) -> None:
    other = run(1)
    change(other)
    (row,) = [row for row in figures(group([run(0), other])) if row["stage"] == "after"]
    assert row["seeds"] == "0; 1"


def test_times_on_different_hardware_are_not_averaged() -> None:
    other = run(1)
    other.training.device = other.timing.device = "Fast GPU"
    other.training.seconds, other.timing.median_seconds = 60.0, 0.01
    (table,) = group([run(0), other])
    assert cells(table)[0]["Time per image"] == "43.2 ms; 10 ms"
    assert details(table, Contents(bootstrap))[1][6:] == [
        "22 min 5 s; 1 min 0 s",
        "Example CPU 2.0 GHz, 2 threads; Fast GPU, 2 threads",
    ]


def test_accuracy_on_unrelated_images_is_a_column_of_its_own() -> None:
    record = run()
    unrelated = unrelated_images(record)
    assert unrelated and len(unrelated) < 20
    (table,) = group([record])
    row = figures([table])[0]
    assert int(row["unrelated_images"]) == len(unrelated)
    assert float(row["unrelated_dice"]) == pytest.approx(fmean(dice(record)[image] for image in unrelated))
    assert f"Dice, {len(unrelated)} unrelated images" in accuracy(table, Contents(bootstrap))[0]
    other = run(name="other", epochs=1)
    other.leakage.relations = other.leakage.relations[1:]
    (table,) = group([record, other])
    by_recipe = {row["Recipe"]: row["Dice, unrelated images"] for row in cells(table)}
    assert by_recipe["unet_nuclei"].endswith(f"), {len(unrelated)} images")
    assert not by_recipe["other"].endswith(f"), {len(unrelated)} images")
    record.leakage = None
    assert cells(group([record])[0])[0]["Dice, unrelated images"] == "not measured"


def test_validation_dice_is_that_of_the_selected_epochs() -> None:
    runs = [run(0), run(1)]
    for record, epoch in zip(runs, (32, 8), strict=True):
        record.training.best_epoch = epoch
    (table,) = group(runs)
    expected = ((0.94 - 0.5 / 32) + (0.94 - 0.5 / 8)) / 2
    assert float(figures([table])[0]["validation_dice"]) == pytest.approx(expected, abs=1e-5)
    assert details(table, Contents(bootstrap))[1][3] == f"{expected:.4f}"
    runs[0].training.best_epoch = None
    assert details(group(runs)[0], Contents(bootstrap))[1][3] == "not measured"


def test_the_base_model_before_training_is_a_row_without_times() -> None:
    row = next(row for row in cells(group([run()])[0]) if row["Recipe"] == "unet_nuclei, before")
    before = run().accuracy.before
    assert row["Dice, 20 images"].startswith(f"{before.summary['dice'].mean:.4f} ± ")
    assert row["Time per image"] == ""


def test_differences_are_paired_by_the_pixels_of_the_images() -> None:
    other = run(0, 0.01, name="other", epochs=1)
    for file in other.data.files:
        file.name = file.name[::-1]  # in another order
    names = {file.image: file.name for file in other.data.files}
    for score in other.accuracy.after.scores:
        score.image = names[f"test/images/{score.image}.tif"]
    other.accuracy.before = None
    other.leakage = None
    (table,) = tables = group([run(), other])
    baseline = find_row(tables, "unet_nuclei")
    row = next(row for row in figures(tables, baseline=baseline) if row["recipe"] == "other")
    # equal on every image: without pairing, the interval would be wide
    assert [float(row[key]) for key in ("difference", "difference_low", "difference_high")] == pytest.approx(
        [0.01, 0.01, 0.01]
    )
    assert row["unrelated_difference"] == ""  # the other run did not compare its images
    by_recipe = {row["Recipe"]: row["Dice minus unet_nuclei"] for row in cells(table, baseline=baseline)}
    assert by_recipe["other"] == "+0.0100 (+0.0100 to +0.0100)"
    assert by_recipe["unet_nuclei"] == ""


def test_differences_are_stated_on_unrelated_images_too() -> None:
    tables = group([run(), run(0, 0.01, name="other", epochs=1)])
    written = figures(tables, baseline=find_row(tables, "unet_nuclei"))
    row = next(row for row in written if (row["recipe"], row["stage"]) == ("other", "after"))
    assert float(row["unrelated_difference"]) == pytest.approx(0.01)


def test_a_baseline_that_no_row_or_several_rows_have_is_refused() -> None:
    tables = group([run(), run(1, epochs=1)])
    with pytest.raises(InputError, match="missing: no row has this name; rows: .*training.epochs 60"):
        find_row(tables, "missing")
    with pytest.raises(InputError, match="unet_nuclei: several rows have this name"):
        find_row(tables, "unet_nuclei")
    assert find_row(tables, "unet_nuclei, training.epochs 1").seeds == [1]


def test_runs_on_other_images_or_labels_are_in_a_table_of_their_own_and_named() -> None:
    other = run(name="other")
    other.accuracy.after.scores = other.accuracy.after.scores[2:]
    relabeled = next(file for file in other.data.files if file.name == "nucleus_07")
    relabeled.label_pixels = "f" * 64
    tables = group([run(), other])
    assert rows_of(tables) == [["unet_nuclei"], ["other"]]
    assert notes_on(tables) == [
        "data set dsb2018: unet_nuclei and other were tested on different images, so they are in separate "
        "tables; in common: 17; only in the first: nucleus_00, nucleus_01, nucleus_07 (with another label "
        "image); only in the second: nucleus_07 (with another label image)"
    ]
    text = report(tables, Contents(bootstrap))
    assert "## dsb2018: 20 test images" in text
    assert "## dsb2018: 18 test images" in text


def test_what_was_not_measured_is_said() -> None:
    (table,) = group([examples.sparse()])
    (row,) = cells(table)
    assert (row["Dice, 0 images"], row["Dice, unrelated images"]) == ("not measured", "not measured")
    assert (row["AP50"], row["Time per image"]) == ("not measured", "not measured")
    assert "## tiles: no test images" in report([table], Contents(bootstrap))
    single = run()
    single.accuracy.after.scores = single.accuracy.after.scores[:1]
    assert " to " not in cells(group([single])[0])[0]["Dice, 1 image"]  # one image has no interval


def test_a_model_with_prompts_states_who_made_its_labels() -> None:
    (table,) = tables = group([examples.prompted()])
    assert details(table, Contents(bootstrap))[1][2] == "prompts, labels by SAM2AutomaticMaskGenerator"
    assert notes_on(tables) == ["sam2_prompts: accuracy with points and boxes is on the card"]


def test_a_copy_of_a_run_is_counted_once() -> None:
    records, notes = distinct({"runs/a": run(), "runs/a/model.zip": run(), "runs/b": run(1)})
    assert [record.training.seed for record in records] == [0, 1]
    assert notes == ["runs/a/model.zip: the same run as runs/a; counted once"]


def test_a_record_that_scores_an_image_it_does_not_list_is_refused() -> None:
    record = run()
    record.accuracy.after.scores[0].image = "elsewhere"
    with pytest.raises(InputError, match="its record scores elsewhere, which is none of its test images"):
        group([record])


def test_quoted_figures_are_marked_and_come_last() -> None:
    (table,) = group([run()])
    results = [
        QuotedResult(title="best", repository="Elsewhere", dice=0.99, std=0.01, seconds=0.5),
        QuotedResult(title="other", repository="Elsewhere", dice=0.5),
    ]
    quoted = RunTable(**{**vars(table), "quoted": Quoted(results, "a talk")})
    assert [row["Recipe"] for row in cells(quoted)][-2:] == ["quoted", "quoted"]
    assert cells(quoted)[-2] | {"Recipe": ""} == dict.fromkeys(cells(quoted)[0], "") | {
        "Repository": "Elsewhere",
        "Model": "best",
        "Dice, 20 images": "0.9900 ± 0.0100",
        "Time per image": "500 ms",
    }
    assert "Rows marked quoted were not measured here. Source: a talk." in report(
        [quoted], Contents(bootstrap)
    )
    assert [(row["stage"], row["dice"]) for row in figures([quoted])][-2:] == [
        ("quoted", "0.99"),
        ("quoted", "0.5"),
    ]


def test_names_from_a_record_are_neither_markdown_nor_formulas() -> None:
    (table,) = tables = group([run(name="=cmd|<script>")])
    assert r"=cmd\|\<script\>" in report(tables, Contents(bootstrap))
    assert figures(tables)[0]["recipe"] == "'=cmd|<script>"
