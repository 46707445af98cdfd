"""`finetune benchmark` on small images: tables, resuming, failures, and recipes measured before and after."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from hub_publish_server import PublishHub
from rich.console import Console
from typer.testing import CliRunner, Result

from cards.benchmark.results import Benchmark
from cards.errors import InputError
from finetune.benchmark.tune import finished_run
from finetune.cli.main import app
from finetune.recipe.library import find_recipe
from finetune.utils.lock import FileLock

RELEASE = Path(__file__).parents[2] / "fixtures" / "0.2.0"
RUN = RELEASE / "run"


def benchmark(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "discs.yaml"
    path.write_text(
        f"""title: Discs
data: {{root: {RELEASE / "discs"}}}
models:
  - {RUN}
  - {{model: "wipp:unet", title: untrained}}
quoted_from: nobody
quoted:
  - {{repository: Cellpose, title: cyto3, dice: 0.5}}
""",
        encoding="utf-8",
    )
    return path


def test_one_row_per_model_in_all_formats(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = benchmark(file, "--out", out)
    assert result.exit_code == 0
    assert "failed: untrained: wipp:unet: has no published weights" in result.stdout
    assert "Most accurate: " in result.stdout
    results = Benchmark.read(out / "benchmark.json")
    assert results.images == ["disc_00", "disc_01"]
    assert results.unrelated == ["disc_00", "disc_01"]
    measured = results.results[0]
    record = json.loads((RUN / "record.json").read_text())
    expected = {score["image"]: score["metrics"]["dice"] for score in record["accuracy"]["after"]["scores"]}
    assert {score.image: score.metrics["dice"] for score in measured.scores} == pytest.approx(
        expected, abs=1e-3
    )
    assert (measured.repository, measured.stage, measured.exposure) == ("WIPP", "trained", "no")
    table = list(csv.DictReader((out / "table.csv").read_text("utf-8").splitlines()))
    assert [row["Stage"] for row in table] == ["trained", "untuned", "quoted"]
    assert {path.name for path in out.iterdir()} == {
        "benchmark.json",
        "pictures",
        "report.html",
        "scores.csv",
        "table.csv",
        "table.md",
        "table.tex",
    }
    page = (out / "report.html").read_text("utf-8")
    assert "data:image/png;base64," in page
    assert "quoted" in page


def test_package_and_published_model_are_described_like_their_run(
    file: Path, tmp_path: Path, hub: PublishHub
) -> None:
    package = next((RUN / "bioimageio").glob("*.zip"))
    published = {path.name: path.read_bytes() for path in (RUN / "huggingface").iterdir() if path.is_file()}
    hub.add("lab/discs", published)
    head = file.read_text(encoding="utf-8").split("models:")[0]
    file.write_text(f"{head}models: [{package}, 'bioimageio:{package}', lab/discs]\n", encoding="utf-8")
    assert benchmark(file, "--out", tmp_path / "out").exit_code == 0
    results = Benchmark.read(tmp_path / "out" / "benchmark.json").results
    facts = [(one.repository, one.stage, one.exposure) for one in results]
    assert facts == [("WIPP", "trained", "no")] * 3


def test_images_related_to_training_images_are_left_out_of_a_second_mean(file: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(RELEASE / "discs", data)
    copied = data / "train" / "images" / "disc_00.tif"
    shutil.copyfile(data / "test" / "images" / "disc_01.tif", copied)
    assert benchmark(file, f"data.root={data}", "--out", tmp_path / "out").exit_code == 0
    results = Benchmark.read(tmp_path / "out" / "benchmark.json")
    assert results.unrelated == ["disc_00"]
    row = next(csv.DictReader((tmp_path / "out" / "table.csv").read_text("utf-8").splitlines()))
    dice = {score.image: score.metrics["dice"] for score in results.results[0].scores}
    assert row["Dice, 1 unrelated image"] == f"{dice['disc_00']:.4f}"


def test_a_second_call_measures_only_what_is_missing(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(file, "--out", out).exit_code == 0
    first = Benchmark.read(out / "benchmark.json")
    file.write_text(file.read_text().replace("wipp:unet", str(RELEASE / "run" / "huggingface")))
    assert benchmark(file, "--out", out).exit_code == 0
    second = Benchmark.read(out / "benchmark.json")
    assert second.results[0] == first.results[0]  # times, too
    assert first.results[1].error is not None
    assert second.results[1].error is None


def test_a_folder_with_other_files_or_other_images_is_refused(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").touch()
    result = benchmark(file, "--out", out)
    assert "exists and holds no benchmark; choose another folder with --out" in str(result.exception)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    assert benchmark(file, "--out", tmp_path / "other").exit_code == 0
    result = benchmark(file, "images=train", "--out", tmp_path / "other")
    assert "holds a benchmark on other images" in str(result.exception)


def test_results_that_another_process_writes_are_left_as_they_are(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(file, "--out", out).exit_code == 0
    before = (out / "benchmark.json").read_bytes()
    other = FileLock(out / ".finetune-lock")
    other.acquire()
    result = benchmark(file, "title=Another", "--out", out)
    other.release()
    assert "another benchmark is running there" in str(result.exception)
    assert (out / "benchmark.json").read_bytes() == before


def test_models_can_be_named_on_the_command_line(tmp_path: Path) -> None:
    result = benchmark("--models", RUN, "wipp:unet", "--data", RELEASE / "discs", "--out", tmp_path / "out")
    assert result.exit_code == 0
    titles = [model.title for model in Benchmark.read(tmp_path / "out" / "benchmark.json").results]
    assert titles == [json.loads((RUN / "record.json").read_text())["card"]["title"], "unet"]


def test_a_benchmark_in_which_every_model_fails_has_exit_code_1(tmp_path: Path) -> None:
    result = benchmark("--models", "nothing", "--data", RELEASE / "discs", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "failed: nothing: " in result.stdout and (tmp_path / "out" / "table.csv").is_file()


def test_a_model_that_is_listed_twice_is_one_line(tmp_path: Path) -> None:
    result = benchmark("--models", RUN, RUN, "--data", RELEASE / "discs", "--out", tmp_path / "out")
    assert "is listed twice; list each model once" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_images_that_the_model_was_trained_on_are_counted(file: Path, tmp_path: Path) -> None:
    assert benchmark(file, "images=train", "--out", tmp_path / "out").exit_code == 0
    exposure = Benchmark.read(tmp_path / "out" / "benchmark.json").results[0].exposure
    assert exposure.startswith("yes: ")
    assert exposure.endswith(" of 5 images")


@pytest.mark.usefixtures("without_onnx")
def test_a_recipe_is_run_once_and_measured(file: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tuned.yaml"
    recipe.write_text((RELEASE / "discs.yaml").read_text(), encoding="utf-8")
    overrides = f'["model.checkpoint={RUN}", "training.epochs=1", "model.options={{}}"]'
    tune = f"tune=[{{recipe: {recipe}, title: tuned, overrides: {overrides}}}]"
    arguments = (file, "models=[]", tune, "--out", tmp_path / "out")
    assert benchmark(*arguments).exit_code == 0
    results = Benchmark.read(tmp_path / "out" / "benchmark.json").results
    assert [(model.stage, model.error) for model in results] == [("before", None), ("fine-tuned", None)]
    assert all(len(model.scores) == 2 for model in results)
    runs = list((tmp_path / "out" / "runs").iterdir())
    assert len(runs) == 1
    written = (runs[0] / "record.json").stat().st_mtime_ns
    assert benchmark(*arguments).exit_code == 0
    assert (runs[0] / "record.json").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nothing"],
            "nothing: neither a benchmark file nor the name of an included benchmark",
        ),
        (["--models", "a/b"], "--models: name the images with --data"),
        (["nuclei", "sam2:x"], "sam2:x: not an override KEY=VALUE; use --models to name models"),
        (["nuclei", "--data", "x"], "--data goes with --models"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: list[str], message: str) -> None:
    assert message in str(benchmark(*arguments).exception)


def test_a_wrong_key_is_reported_with_file_and_line(file: Path) -> None:
    file.write_text(file.read_text().replace("quoted_from", "quoted_form"), encoding="utf-8")
    assert "discs.yaml:6: quoted_form: unknown key; did you mean quoted_from?" in str(
        benchmark(file).exception
    )


def test_included_benchmarks_are_valid() -> None:
    from finetune.benchmark.schema import read_benchmark
    from finetune.recipe.library import benchmark_path

    nuclei, boundary = (read_benchmark(benchmark_path(name), []) for name in ("nuclei", "cell_boundary"))
    assert len(nuclei.quoted) == 7
    assert len(boundary.quoted) == 5
    assert nuclei.models[1].model == "stardist:2D_versatile_fluo"


def test_an_ensemble_is_one_row_described_by_its_members(file: Path, tmp_path: Path) -> None:
    twice = shutil.copytree(RUN, tmp_path / "again")
    text = file.read_text().replace(f"  - {RUN}", f"  - {RUN}\n  - {{model: {RUN}, ensemble: [{twice}]}}")
    file.write_text(text)
    assert benchmark(file, "--out", tmp_path / "out").exit_code == 0
    single, ensemble, _ = Benchmark.read(tmp_path / "out" / "benchmark.json").results
    assert ensemble.title == f"{single.title} + {single.title}" and ensemble.stage == "trained"
    assert ensemble.parameters == 2 * single.parameters
    dice = [[score.metrics["dice"] for score in one.scores] for one in (single, ensemble)]
    assert dice[0] == pytest.approx(dice[1])  # the same model twice


def test_two_recipes_of_one_name_do_not_share_a_run(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("models:", "models_:").split("models_:")[0]
    tune = "tune:\n  - {recipe: quickstart}\n  - {recipe: quickstart, overrides: [training.epochs=5]}\n"
    file.write_text(text + tune, encoding="utf-8")
    result = benchmark(file, "--out", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert "two recipes under tune have the name quickstart" in str(result.exception)


def test_a_run_of_another_recipe_is_not_taken_for_this_one(file: Path, tmp_path: Path) -> None:
    recipe = find_recipe(RUN / "recipe.yaml", [f"data.root={RELEASE / 'discs'}"])
    shutil.copytree(RUN, tmp_path / "run")
    changed = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 99})})
    with pytest.raises(InputError, match=r"was run with another recipe \(training.epochs\)"):
        finished_run(changed, tmp_path / "run", Console())


def test_a_benchmark_that_is_continued_on_other_hardware_names_the_hardware_of_earlier_times(
    file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    benchmark(file, "--out", out)
    results = json.loads((out / "benchmark.json").read_text("utf-8"))
    (out / "benchmark.json").write_text(
        json.dumps(results | {"device": "another CPU", "threads": 64}), "utf-8"
    )
    continued = benchmark(file, "--out", out)
    assert "per image on another CPU, 64 threads." in continued.stdout
    (first, _) = Benchmark.read(out / "benchmark.json").results
    assert first.hardware == "another CPU, 64 threads"
    assert "Accuracy and time" not in (out / "table.md").read_text("utf-8")


def test_weights_in_a_file_that_changed_are_measured_again(file: Path, tmp_path: Path) -> None:
    package = tmp_path / "m.zip"
    shutil.copyfile(next((RUN / "bioimageio").glob("*.zip")), package)
    arguments = (file, "--out", tmp_path / "out")
    text = file.read_text(encoding="utf-8").split("models:")[0] + f"models: [{package}]\n"
    file.write_text(text, encoding="utf-8")
    result = benchmark(*arguments)
    assert result.exit_code == 0 and "failed" not in result.stdout
    package.write_bytes(b"not a zip")
    assert "failed: m" in benchmark(*arguments).stdout
