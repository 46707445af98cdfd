"""Plugins run through the command line, as in a container."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from finished_run import RUN, write_run
from plugin_inputs import PIXEL_SIZES, run_plugin, write_collection, write_model

from cards.errors import InputError
from finetune.data.headers import read_header

SEGMENT = "inference-stardist-unet"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "images")


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_label_images_are_tiled_ome_tiff_with_the_metadata_of_their_image(
    model: Path, images: Path, tmp_path: Path
) -> None:
    before = snapshot(images), snapshot(model)
    result = run_plugin(SEGMENT, imageDir=images, modelDir=model, outputDir=tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (snapshot(images), snapshot(model)) == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.ome.tif", "b.ome.tif"]
    with tifffile.TiffFile(tmp_path / "out" / "a.ome.tif") as tif:
        page, xml = tif.pages.first, tif.ome_metadata or ""
        assert page.is_tiled and (page.tilewidth, page.tilelength) == (1024, 1024)
        assert page.dtype == np.uint16 and tif.series[0].axes == "YX"
    assert 'Name="field a"' in xml
    assert all(f'{name}="{value}"' in xml for name, value in PIXEL_SIZES.items())
    assert read_header(tmp_path / "out" / "a.ome.tif").channels == 1


def test_progress_is_one_log_line_per_image_on_standard_error(
    model: Path, images: Path, tmp_path: Path
) -> None:
    result = run_plugin(SEGMENT, imageDir=images, modelDir=model, outputDir=tmp_path / "out")
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 4 and "image 1 of 2: a.ome.tif: " in lines[1]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in lines)


def test_labels_are_those_of_predict(model: Path, images: Path, tmp_path: Path) -> None:
    import finetune

    run_plugin(SEGMENT, imageDir=images, modelDir=model, outputDir=tmp_path / "out", filePattern="a.*")
    expected = finetune.predict(model, tifffile.imread(images / "a.ome.tif"))
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "a.ome.tif"), expected)
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_the_pixel_size_of_imagej_is_kept(model: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    options = {"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}
    tifffile.imwrite(tmp_path / "images" / "c.tif", np.zeros((32, 32), np.uint8), **options)
    run_plugin(SEGMENT, imageDir=tmp_path / "images", modelDir=model, outputDir=tmp_path / "out")
    with tifffile.TiffFile(tmp_path / "out" / "c.ome.tif") as tif:
        xml = tif.ome_metadata or ""
    assert 'PhysicalSizeX="0.25" PhysicalSizeXUnit="µm"' in xml and 'Name="c"' in xml


def error_of(name: str, **parameters: object) -> str:
    result = run_plugin(name, **parameters)
    assert isinstance(result.exception, InputError), result.output
    assert len(str(result.exception).splitlines()) == 1
    return str(result.exception)


def test_a_package_of_finetune_gives_the_labels_of_its_run(images: Path, tmp_path: Path) -> None:
    import finetune

    folder = RUN / "bioimageio"
    result = run_plugin("inference-bioimageio", imageDir=images, modelDir=folder, outputDir=tmp_path / "out")
    assert result.exit_code == 0, result.output
    expected = finetune.predict(RUN, tifffile.imread(images / "a.ome.tif"))
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "a.ome.tif"), expected)


@pytest.mark.parametrize("wrong", ["channels", "damaged", "model", "no model", "several models"])
def test_wrong_input_is_one_error_and_leaves_nothing(
    model: Path, images: Path, tmp_path: Path, wrong: str
) -> None:
    out, folder = tmp_path / "out", model
    plugin, message = SEGMENT, ""
    if wrong == "channels":
        for path in images.iterdir():
            tifffile.imwrite(path, np.zeros((3, 8, 8), np.uint8), photometric="rgb", planarconfig="separate")
        message = "--imageDir: a.ome.tif: the image has 3 channels; this model takes 1"
    elif wrong == "damaged":
        (images / "b.ome.tif").write_bytes(b"II*\0")
        message = f"--imageDir: {images / 'b.ome.tif'}: "
    elif wrong == "model":
        folder = tmp_path / "empty"
        folder.mkdir()
        message = f"--modelDir: {folder}: "
    elif wrong == "no model":
        folder, message = tmp_path / "missing", "--modelDir: "
    else:
        plugin, folder = "inference-sam2", tmp_path / "weights"
        folder.mkdir()
        for name in ("a.pt", "b.pt"):
            (folder / name).write_bytes(b"x")
        message = "holds 2 files that could be the weights; keep one"
    assert message in error_of(plugin, imageDir=images, modelDir=folder, outputDir=out)
    assert not out.exists()


def test_the_unet_needs_a_model_folder(images: Path, tmp_path: Path) -> None:
    message = error_of(SEGMENT, imageDir=images, model="unet", outputDir=tmp_path / "out")
    assert message == "--modelDir: missing; name a model folder"


@pytest.mark.parametrize(
    ("plugin", "model"),
    [("inference-sam2", "sam2.1-hiera-tiny"), ("inference-huggingface-maskgeneration", "somebody/missing")],
)
def test_missing_weights_are_one_error(hub, images: Path, tmp_path: Path, plugin: str, model: str) -> None:
    message = error_of(plugin, imageDir=images, model=model, outputDir=tmp_path / "out")
    assert message.startswith("--model: ") and model in message
    assert message.endswith("; name a folder that holds the weights with --modelDir")
    assert not (tmp_path / "out").exists()


def test_weights_for_training_that_are_missing_are_one_error(hub, tmp_path: Path) -> None:
    from discs import write_data

    data = write_data(tmp_path / "data") / "train"
    outputs = {name: tmp_path / name for name in ("outputDir", "tensorboardDir", "scores")}
    given = {"imageDir": data / "images", "maskDir": data / "masks", "model": "sam2:sam2.1-hiera-tiny"}
    message = error_of("fine-tune", **given, **outputs)
    assert message.endswith("; choose wipp:unet, which needs none, or a model folder with --modelDir")
    assert not any(path.exists() for path in outputs.values())
    given |= {"target": "rays", "rank": 4, "adapt": "head"}  # a rank is of use for LoRA only, and no error
    assert error_of("fine-tune", **given, **outputs) == message


def test_images_without_masks_are_one_error(images: Path, tmp_path: Path) -> None:
    outputs = {name: tmp_path / name for name in ("outputDir", "tensorboardDir", "scores")}
    masks = write_labels(tmp_path / "masks", a=8)
    message = error_of("fine-tune", imageDir=images, maskDir=masks, **outputs)
    assert message == "--imageDir: 1 of 2 files have no partner in --maskDir: b.ome.tif"
    (images / "b.ome.tif").unlink()
    message = error_of("fine-tune", imageDir=images, maskDir=masks, testImageDir=images, **outputs)
    assert message == "--testMaskDir: missing; --testImageDir needs it"
    assert not any(path.exists() for path in outputs.values())


def write_labels(folder: Path, **values: int) -> Path:
    folder.mkdir()
    for name, value in values.items():
        labels = np.zeros((16, 16), np.uint16)
        labels[:8, :value] = 1
        tifffile.imwrite(folder / f"{name}.ome.tif", labels)
    return folder


def test_dice_is_that_of_evaluate_in_one_csv(tmp_path: Path) -> None:
    import finetune

    predictions = write_labels(tmp_path / "predictions", a=8, b=4)
    reference = write_labels(tmp_path / "reference", a=8, b=8)
    result = run_plugin(
        "dice-segmentationaccuracy",
        predictionDir=predictions,
        referenceDir=reference,
        scores=tmp_path / "scores",
    )
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["scores.csv"]
    text = (tmp_path / "scores" / "scores.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    expected = finetune.evaluate(predictions, reference)
    assert {row["image"]: float(row["dice"]) for row in rows} == {
        name: metrics["dice"] for name, metrics in expected.images.items()
    }
    assert float(rows[1]["dice"]) == pytest.approx(2 / 3)


def test_a_prediction_without_a_reference_is_one_error(tmp_path: Path) -> None:
    message = error_of(
        "dice-segmentationaccuracy",
        predictionDir=write_labels(tmp_path / "predictions", a=8, b=4),
        referenceDir=write_labels(tmp_path / "reference", a=8),
        scores=tmp_path / "scores",
    )
    assert message == "--predictionDir: 1 of 2 files have no partner in --referenceDir: b.ome.tif"
    assert not (tmp_path / "scores").exists()


def test_an_error_names_the_users_file_and_no_temporary_one(tmp_path: Path) -> None:
    predictions = write_labels(tmp_path / "predictions", a=8)
    tifffile.imwrite(predictions / "a.ome.tif", np.full((16, 16), 0.5, np.float32))
    message = error_of(
        "dice-segmentationaccuracy",
        predictionDir=predictions,
        referenceDir=write_labels(tmp_path / "reference", a=8),
        scores=tmp_path / "scores",
    )
    assert message.startswith(f"--predictionDir: {predictions / 'a.ome.tif'}: holds float32 values")


def test_training_and_test_images_have_the_same_channels(tmp_path: Path) -> None:
    masks = write_labels(tmp_path / "masks", a=8)
    for name, channels in (("train", 3), ("test", 1)):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "a.ome.tif", np.zeros((16, 16, channels), np.uint8).squeeze())
    message = error_of(
        "fine-tune",
        **{"imageDir": tmp_path / "train", "maskDir": masks},
        **{"testImageDir": tmp_path / "test", "testMaskDir": masks},
        **{name: tmp_path / name for name in ("outputDir", "tensorboardDir", "scores")},
    )
    assert message == "--imageDir: 3 channels; --testImageDir: 1 channel; a model takes images of one kind"


def test_an_audit_writes_one_row_per_claim_and_fails_if_asked_to(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert run_plugin("audit", modelDir=run, claims=tmp_path / "claims").exit_code == 0
    rows = list(csv.DictReader((tmp_path / "claims" / "claims.csv").read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["family", "statement", "verdict", "evidence", "remedy"]
    assert len(rows) > 10
    (run / "foreign.txt").write_text("x")
    assert run_plugin("audit", modelDir=run, claims=tmp_path / "again").exit_code == 0
    failing = run_plugin("audit", modelDir=run, claims=tmp_path / "failing", failOnBroken="YES")
    assert failing.exit_code == 1 and isinstance(failing.exception, SystemExit)
    assert "broken: Every file in the folder is in the record. foreign.txt" in failing.stderr
    assert not (tmp_path / "failing").exists()


def test_help_of_a_plugin_lists_its_parameters() -> None:
    from typer.testing import CliRunner

    from finetune.cli.main import app

    result = CliRunner().invoke(app, ["plugin", "run", "fine-tune", "--help"])
    assert result.exit_code == 0
    assert all(f"--{name}" in result.stdout for name in ("imageDir", "learningRate", "tensorboardDir"))


def test_wipps_card_has_its_fourteen_fields_and_no_path(tmp_path: Path) -> None:
    from cards.record import RunRecord
    from finetune.plugins.wipp_card import card

    record = RunRecord.read(write_run(tmp_path / "run"))
    values = {"imageDir": tmp_path, "testImageDir": None, "modelDir": None, "epochs": 2, "target": "flows"}
    content = card(values, record, author="Jane Doe", operations=("segmentation",))
    assert len(content) == 14
    assert content["trainingParameters"] == {"epochs": "2", "target": "flows"}
    assert content["training"]["epochs"] == record.training.epochs
    assert str(tmp_path) not in json.dumps(content)
    continued = values | {"modelDir": tmp_path, "model": "wipp:unet", "adapt": "full", "rank": 8}
    content = card(continued, record, author="Jane Doe", operations=("segmentation",))
    assert content["trainingParameters"] == {"epochs": "2", "adapt": "full"}
