"""All plugins and the workflows run by cwltool on real images: the image of nuclei that finetune ships.

Published weights would be downloaded; Cellpose, SAM and SAM 2 run with random weights in a model folder.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_inputs import ABOUT, plugins

from finetune.cli.plugin_commands import COMMANDS
from finetune.data.sample_dataset import make_sample
from finetune.plugins.registry import describe

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow
MINUTES = 10  # on a busy machine; the documentation states measured times


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_sample(tmp_path_factory.mktemp("sample") / "data")
    (root / "one").mkdir()
    shutil.copy(root / "test" / "images" / "lower_right_1.tif", root / "one")
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, sample: Path) -> Path:
    """Outputs of the workflow that fine-tunes, segments and compares."""
    out = tmp_path_factory.mktemp("workflow")
    cwl("fine-tune-inference-dice", out, **folders(sample), epochs=1)
    return out


def folders(sample: Path) -> dict[str, Path]:
    return {
        "imageDir": sample / "train" / "images",
        "maskDir": sample / "train" / "masks",
        "testImageDir": sample / "test" / "images",
        "testMaskDir": sample / "test" / "masks",
    }


def cwl(name: str, out: Path, **inputs: object) -> str:
    """Run a plugin or a workflow with cwltool and this source tree; returns its messages."""
    if not (cwltool := shutil.which("cwltool")):
        pytest.skip("cwltool is not on PATH")
    work = out.with_name(f"{out.name}-work")
    work.mkdir()
    (work / "tool.cwl").write_text(describe(name, "cwl", COMMANDS, ABOUT), encoding="utf-8")
    job = {
        key: {"class": "Directory", "path": str(value)} if isinstance(value, Path) else value
        for key, value in inputs.items()
    }
    (work / "job.json").write_text(json.dumps(job))
    command = work / "finetune"
    command.write_text(
        f'#!/bin/sh\nHF_HUB_OFFLINE=1 PYTHONPATH={ROOT} exec {sys.executable} -m finetune.cli "$@"\n'
    )
    command.chmod(0o755)
    result = subprocess.run(
        [cwltool, "--no-container", "--outdir", out, work / "tool.cwl", work / "job.json"],
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        env=os.environ | {"PATH": f"{work}:{os.environ['PATH']}"},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stderr


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_dice_of_three_steps_is_that_of_evaluate_and_of_the_record(run: Path, sample: Path) -> None:
    import finetune
    from cards.record import RunRecord

    scored = [float(row["dice"]) for row in rows(run / "score-scores" / "scores.csv")]
    evaluated = finetune.evaluate(run / "segment-outputDir", sample / "test" / "masks")
    assert scored == [metrics["dice"] for metrics in evaluated.images.values()]
    record = RunRecord.read(run / "train-outputDir")
    assert record.accuracy is not None
    assert sum(scored) / len(scored) == pytest.approx(record.accuracy.after.summary["dice"].mean, abs=1e-6)


def test_training_gives_a_run_with_both_cards_and_logs_for_wipp(run: Path) -> None:
    model, logs = run / "train-outputDir", run / "train-tensorboardDir"
    assert (model / "huggingface" / "README.md").is_file() and list((model / "bioimageio").glob("*.zip"))
    for split in ("train", "test"):
        for name in ("accuracy", "loss"):
            table = rows(logs / split / f"{name}.csv")
            assert list(table[0]) == ["wall_time", "step", "value"] and float(table[0]["wall_time"]) > 1e9
    card = json.loads((logs / "wipp-model-card.json").read_text(encoding="utf-8"))
    assert len(card) == 14 and card["architecture"] == "wipp:unet"
    assert {row["stage"] for row in rows(run / "train-scores" / "scores.csv")} == {"after"}


def test_an_audit_of_the_trained_model_breaks_no_claim(run: Path, sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    cwl("audit", out, modelDir=run / "train-outputDir", **folders(sample), recompute="YES")
    claims = rows(out / "claims" / "claims.csv")
    assert [claim for claim in claims if claim["verdict"] == "broken"] == []
    measured = next(claim for claim in claims if "recorded pixels" in claim["statement"])
    assert measured["verdict"] == "holds"


def test_training_continues_from_a_model(run: Path, sample: Path, tmp_path: Path) -> None:
    from cards.record import RunRecord

    given = folders(sample)
    out = tmp_path / "again"
    cwl("fine-tune", out, **given, modelDir=run / "train-outputDir", epochs=1, adapt="head")
    record = RunRecord.read(out / "outputDir")
    assert record.model.base.id == RunRecord.read(run / "train-outputDir").name
    assert record.model.adapt is not None and record.model.adapt.name == "head"
    assert record.accuracy is not None and record.accuracy.before is not None


def test_a_bioimageio_package_segments(run: Path, sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    package = run / "train-outputDir" / "bioimageio"
    log = cwl("inference-bioimageio", out, imageDir=sample / "one", modelDir=package)
    assert "image 1 of 1: lower_right_1.tif: " in log
    assert [path.name for path in (out / "outputDir").iterdir()] == ["lower_right_1.ome.tif"]


@pytest.mark.parametrize("repository", ["cellpose", "sam2", "huggingface-maskgeneration"])
def test_other_networks_segment(repository: str, sample: Path, tmp_path: Path) -> None:
    weights, out = tmp_path / "weights", tmp_path / "out"
    {"cellpose": write_cellpose, "sam2": write_sam2}.get(repository, write_sam)(weights)
    size = (
        {"imageSize": 256}
        if "imageSize" in [one.name for one in plugins()[f"inference-{repository}"].inputs]
        else {}
    )
    log = cwl(f"inference-{repository}", out, imageDir=sample / "one", modelDir=weights, **size)
    assert "image 1 of 1: lower_right_1.tif: " in log
    assert [path.name for path in (out / "outputDir").iterdir()] == ["lower_right_1.ome.tif"]


def test_segmentation_and_dice_are_one_workflow(run: Path, sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cwl(
        "inference-stardist-unet-dice",
        out,
        imageDir=sample / "test" / "images",
        modelDir=run / "train-outputDir",
        referenceDir=sample / "test" / "masks",
    )
    expected = rows(run / "score-scores" / "scores.csv")
    assert rows(out / "score-scores" / "scores.csv") == expected


def write_cellpose(folder: Path) -> None:
    from tiny_cellpose import load_cyto3

    from finetune.repositories.registry import save

    loaded = load_cyto3()
    save(loaded.network, loaded.architecture, folder, {"name": "flows", "options": {}})


def write_sam2(folder: Path) -> None:
    from finetune.repositories.registry import LoadOptions, promptable, save

    loaded = promptable("sam2").load("sam2.1-hiera-tiny", LoadOptions(1, 1, pretrained=False))
    save(loaded.network, loaded.architecture, folder)


def write_sam(folder: Path) -> None:
    from tiny_transformers import theirs

    theirs("sam").save_pretrained(folder)
